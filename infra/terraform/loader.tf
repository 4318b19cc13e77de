# Delivered file -> EventBridge -> queue -> Lambda. The queue smooths bursts; what fails five times is kept for a person.
resource "aws_sqs_queue" "dead" {
  name                      = "${local.prefix}-deliveries-dead"
  kms_master_key_id         = aws_kms_key.data.id
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue" "deliveries" {
  name                       = "${local.prefix}-deliveries"
  kms_master_key_id          = aws_kms_key.data.id
  visibility_timeout_seconds = 5400 # six times the function's limit
  message_retention_seconds  = 345600

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 5
  })
}

data "aws_iam_policy_document" "queue" {
  statement {
    sid       = "EventBridgeMaySend"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.deliveries.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.delivered.arn]
    }
  }
}

resource "aws_sqs_queue_policy" "deliveries" {
  queue_url = aws_sqs_queue.deliveries.id
  policy    = data.aws_iam_policy_document.queue.json
}

resource "aws_cloudwatch_event_rule" "delivered" {
  name        = "${local.prefix}-delivered"
  description = "A partner file has arrived"

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail      = { bucket = { name = [aws_s3_bucket.this["landing"].id] } }
  })
}

resource "aws_cloudwatch_event_target" "queue" {
  rule = aws_cloudwatch_event_rule.delivered.name
  arn  = aws_sqs_queue.deliveries.arn
}

resource "aws_cloudwatch_log_group" "loader" {
  name              = "/aws/lambda/${local.prefix}-loader"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.data.arn
}

resource "aws_lambda_function" "loader" {
  # checkov:skip=CKV_AWS_272:code signing is for zip packages; the image is pinned by digest
  function_name = "${local.prefix}-loader"
  description   = "Loads one delivered file in one transaction"
  role          = aws_iam_role.loader.arn
  package_type  = "Image"
  image_uri     = var.image_uri
  architectures = ["x86_64"]
  timeout       = 900
  memory_size   = 2048
  kms_key_arn   = aws_kms_key.data.arn

  # One writer at a time per feed is not needed; two keep a burst from starving the warehouse's other work.
  reserved_concurrent_executions = 2

  image_config {
    entry_point = ["/app/.venv/bin/python", "-m", "awslambdaric"]
    command     = ["infra.lambda_loader.handler.handle"]
  }

  ephemeral_storage {
    size = 4096
  }

  environment {
    variables = {
      WAREHOUSE_TARGET       = "redshift"
      LANDING_URI            = "s3://${aws_s3_bucket.this["landing"].id}"
      S3_STAGING_URI         = "s3://${aws_s3_bucket.this["staging"].id}/load"
      WAREHOUSE_PATH         = "/tmp/warehouse.duckdb"
      RUNS_DIR               = "/tmp/runs"
      REDSHIFT_WORKGROUP     = aws_redshiftserverless_workgroup.this.workgroup_name
      REDSHIFT_DATABASE      = aws_redshiftserverless_namespace.this.db_name
      REDSHIFT_HOST          = aws_redshiftserverless_workgroup.this.endpoint[0].address
      REDSHIFT_USER          = "svc_loader"
      REDSHIFT_SECRET_ARN    = aws_secretsmanager_secret.this["redshift/svc_loader"].arn
      REDSHIFT_COPY_ROLE_ARN = aws_iam_role.copy.arn
      PII_HASH_KEY_ARN       = aws_secretsmanager_secret.this["pii_hash_key"].arn
    }
  }

  vpc_config {
    subnet_ids         = var.private_subnet_ids
    security_group_ids = [aws_security_group.jobs.id]
  }

  dead_letter_config {
    target_arn = aws_sqs_queue.dead.arn
  }

  tracing_config {
    mode = "Active"
  }

  depends_on = [aws_cloudwatch_log_group.loader, aws_iam_role_policy.loader]
}

resource "aws_lambda_event_source_mapping" "deliveries" {
  event_source_arn        = aws_sqs_queue.deliveries.arn
  function_name           = aws_lambda_function.loader.arn
  batch_size              = 5
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 2
  }
}
