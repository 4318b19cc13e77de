# The project itself, project.zip, is put beside these by a release (docs/production.md).
resource "aws_s3_object" "startup" {
  bucket     = aws_s3_bucket.this["airflow"].id
  key        = "startup.sh"
  kms_key_id = aws_kms_key.data.arn

  content = templatefile("${path.module}/mwaa_startup.sh.tftpl", {
    bucket       = aws_s3_bucket.this["airflow"].id
    landing      = "s3://${aws_s3_bucket.this["landing"].id}"
    staging      = "s3://${aws_s3_bucket.this["staging"].id}/load"
    host         = aws_redshiftserverless_workgroup.this.endpoint[0].address
    database     = aws_redshiftserverless_namespace.this.db_name
    login        = var.airflow_redshift_user
    login_secret = aws_secretsmanager_secret.this["redshift/${var.airflow_redshift_user}"].arn
    hash_secret  = aws_secretsmanager_secret.this["pii_hash_key"].arn
    copy_role    = aws_iam_role.copy.arn
  })
}

resource "aws_s3_object" "requirements" {
  bucket     = aws_s3_bucket.this["airflow"].id
  key        = "requirements.txt"
  kms_key_id = aws_kms_key.data.arn
  content    = file("${path.module}/mwaa_requirements.txt")
}

resource "aws_mwaa_environment" "this" {
  name                  = local.prefix
  airflow_version       = "3.0.6" # the DAG files are imported under it by tests/dags/test_mwaa.py
  environment_class     = var.airflow_environment_class
  execution_role_arn    = aws_iam_role.airflow.arn
  kms_key               = aws_kms_key.data.arn
  source_bucket_arn     = aws_s3_bucket.this["airflow"].arn
  dag_s3_path           = "dags"
  requirements_s3_path  = aws_s3_object.requirements.key
  webserver_access_mode = "PRIVATE_ONLY"
  min_workers           = 1
  max_workers           = 1 # tasks of a run hand files to each other; MWAA's workers share no disk
  schedulers            = 2

  startup_script_s3_path           = aws_s3_object.startup.key
  startup_script_s3_object_version = aws_s3_object.startup.version_id

  airflow_configuration_options = {
    "core.load_examples"                 = "false"
    "core.max_active_tasks_per_dag"      = "16"
    "celery.worker_autoscale"            = "5,1"
    "scheduler.task_queued_timeout"      = "1200"
    "secrets.backend"                    = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
    "secrets.backend_kwargs"             = jsonencode({ connections_prefix = "${local.prefix}/airflow/connections", variables_prefix = "${local.prefix}/airflow/variables" })
    "webserver.expose_config"            = "false"
    "webserver.warn_deployment_exposure" = "true"
  }

  network_configuration {
    security_group_ids = [aws_security_group.jobs.id]
    subnet_ids         = slice(var.private_subnet_ids, 0, 2)
  }

  logging_configuration {
    dag_processing_logs {
      enabled   = true
      log_level = "INFO"
    }

    scheduler_logs {
      enabled   = true
      log_level = "INFO"
    }

    task_logs {
      enabled   = true
      log_level = "INFO"
    }

    webserver_logs {
      enabled   = true
      log_level = "INFO"
    }

    worker_logs {
      enabled   = true
      log_level = "INFO"
    }
  }
}
