resource "aws_sns_topic" "alerts" {
  name              = "${local.prefix}-alerts"
  kms_master_key_id = aws_kms_key.data.id
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.alert_emails)

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

locals {
  # Each alarm: what is counted, where, and from which value on a person should look.
  alarms = {
    deliveries_failed = {
      namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum", threshold = 0, period = 300
      dimensions = { QueueName = aws_sqs_queue.dead.name }
    }
    deliveries_waiting = {
      namespace  = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", statistic = "Maximum", threshold = 3600, period = 300
      dimensions = { QueueName = aws_sqs_queue.deliveries.name }
    }
    loader_errors = {
      namespace  = "AWS/Lambda", metric = "Errors", statistic = "Sum", threshold = 0, period = 300
      dimensions = { FunctionName = aws_lambda_function.loader.function_name }
    }
    loader_throttled = {
      namespace  = "AWS/Lambda", metric = "Throttles", statistic = "Sum", threshold = 10, period = 900
      dimensions = { FunctionName = aws_lambda_function.loader.function_name }
    }
    warehouse_capacity = {
      namespace  = "AWS/Redshift-Serverless", metric = "ComputeCapacity", statistic = "Average", threshold = var.max_capacity_rpu * 0.9, period = 900
      dimensions = { Workgroup = aws_redshiftserverless_workgroup.this.workgroup_name }
    }
    airflow_heartbeat = {
      namespace  = "AmazonMWAA", metric = "SchedulerHeartbeat", statistic = "Sum", threshold = 0, period = 300
      dimensions = { Function = "Scheduler", Environment = aws_mwaa_environment.this.name }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${local.prefix}-${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = 2
  comparison_operator = each.key == "airflow_heartbeat" ? "LessThanOrEqualToThreshold" : "GreaterThanThreshold"
  treat_missing_data  = each.key == "airflow_heartbeat" ? "breaching" : "notBreaching"
  dimensions          = each.value.dimensions
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_budgets_budget" "monthly" {
  name         = "${local.prefix}-monthly"
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:project$%s", var.name)]
  }

  dynamic "notification" {
    for_each = { half = 50, most = 80, all = 100 }

    content {
      comparison_operator        = "GREATER_THAN"
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      notification_type          = notification.value == 100 ? "FORECASTED" : "ACTUAL"
      subscriber_email_addresses = var.alert_emails
    }
  }
}
