output "warehouse_host" {
  description = "REDSHIFT_HOST: reachable inside the VPC only."
  value       = aws_redshiftserverless_workgroup.this.endpoint[0].address
}

output "admin_secret_arn" {
  description = "The administrator's login, for the first python -m sql apply."
  value       = aws_redshiftserverless_namespace.this.admin_password_secret_arn
}

output "landing_uri" {
  description = "LANDING_URI: where partners deliver."
  value       = "s3://${aws_s3_bucket.this["landing"].id}"
}

output "staging_uri" {
  description = "S3_STAGING_URI."
  value       = "s3://${aws_s3_bucket.this["staging"].id}/load"
}

output "copy_role_arn" {
  description = "REDSHIFT_COPY_ROLE_ARN."
  value       = aws_iam_role.copy.arn
}

output "airflow_url" {
  description = "Airflow's private web server."
  value       = aws_mwaa_environment.this.webserver_url
}
