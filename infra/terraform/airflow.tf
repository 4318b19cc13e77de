resource "aws_mwaa_environment" "this" {
  name                  = local.prefix
  airflow_version       = "3.0.6" # the newest that MWAA offers may lag behind the version this project is tested with
  environment_class     = var.airflow_environment_class
  execution_role_arn    = aws_iam_role.airflow.arn
  kms_key               = aws_kms_key.data.arn
  source_bucket_arn     = aws_s3_bucket.this["airflow"].arn
  dag_s3_path           = "dags"
  requirements_s3_path  = "requirements.txt"
  webserver_access_mode = "PRIVATE_ONLY"
  min_workers           = 1
  max_workers           = 10
  schedulers            = 2

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
