# One key for data at rest. The policy gives the account its administration and the services their use through it.
data "aws_iam_policy_document" "kms" {
  # checkov:skip=CKV_AWS_109:a key policy: the resource is the key itself
  # checkov:skip=CKV_AWS_111:a key policy: the resource is the key itself
  # checkov:skip=CKV_AWS_356:a key policy: the resource is the key itself
  statement {
    sid       = "AccountAdministersTheKey"
    actions   = ["kms:*"]
    resources = ["*"] # a key policy's resource is the key it is attached to

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }

  statement {
    sid       = "LogsAndAlarmsUseTheKey"
    actions   = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${var.region}.amazonaws.com", "cloudwatch.amazonaws.com", "sns.amazonaws.com", "s3.amazonaws.com", "budgets.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }

  # The delivery queue is encrypted with this key, so its sender needs it too. No condition on the source: the queue's own
  # policy admits one rule only, and a condition that EventBridge does not fill would stop every delivery without a word.
  statement {
    sid       = "EventBridgeSendsThroughTheKey"
    actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }
}

resource "aws_kms_key" "data" {
  description             = "${local.prefix}: data at rest"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.kms.json
}

resource "aws_kms_alias" "data" {
  name          = "alias/${local.prefix}-data"
  target_key_id = aws_kms_key.data.key_id
}
