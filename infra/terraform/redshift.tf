resource "aws_redshiftserverless_namespace" "this" {
  namespace_name = local.prefix
  db_name        = "warehouse"
  kms_key_id     = aws_kms_key.data.arn

  # The administrator's password is made, kept and rotated by Secrets Manager; it is in no file and no state.
  manage_admin_password            = true
  admin_password_secret_kms_key_id = aws_kms_key.data.arn

  default_iam_role_arn = aws_iam_role.copy.arn
  iam_roles            = [aws_iam_role.copy.arn]
  log_exports          = ["userlog", "connectionlog", "useractivitylog"]
}

resource "aws_redshiftserverless_workgroup" "this" {
  namespace_name       = aws_redshiftserverless_namespace.this.namespace_name
  workgroup_name       = local.prefix
  base_capacity        = var.base_capacity_rpu
  max_capacity         = var.max_capacity_rpu
  publicly_accessible  = false
  enhanced_vpc_routing = true
  subnet_ids           = var.private_subnet_ids
  security_group_ids   = [aws_security_group.warehouse.id]

  config_parameter {
    parameter_key   = "require_ssl"
    parameter_value = "true"
  }

  config_parameter {
    parameter_key   = "enable_user_activity_logging"
    parameter_value = "true"
  }

  # A runaway query is stopped by the cluster, not by the bill.
  config_parameter {
    parameter_key   = "max_query_execution_time"
    parameter_value = "3600"
  }
}

resource "aws_redshiftserverless_usage_limit" "daily" {
  resource_arn  = aws_redshiftserverless_workgroup.this.arn
  usage_type    = "serverless-compute"
  period        = "daily"
  amount        = var.daily_rpu_hours
  breach_action = "deactivate"
}
