# Names only: values are put there by an operator or a rotation, never by Terraform, so no secret is in its state.
locals {
  service_users = ["svc_admin", "svc_loader", "svc_transformer", "svc_modeler", "svc_bi", "svc_analyst"]
  secrets       = concat([for user in local.service_users : "redshift/${user}"], ["pii_hash_key"])
}

resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV2_AWS_57:a rotation function must know the warehouse users; docs/security.md gives the manual step
  for_each = toset(local.secrets)

  name                    = "${local.prefix}/${each.value}"
  kms_key_id              = aws_kms_key.data.arn
  recovery_window_in_days = 30
}
