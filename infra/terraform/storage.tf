# landing: partner files as delivered. staging: Parquet on its way in and out of Redshift. airflow: DAGs. logs: access logs.
locals {
  buckets = {
    landing = { expire_days = null, noncurrent_days = 365 }
    staging = { expire_days = 7, noncurrent_days = 1 }
    airflow = { expire_days = null, noncurrent_days = 90 }
    logs    = { expire_days = 400, noncurrent_days = 30 }
  }
}

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV2_AWS_62:only the landing bucket has readers of its events
  # checkov:skip=CKV_AWS_144:one region by choice; partners can deliver again, and docs/production.md says how to add a replica
  # checkov:skip=CKV_AWS_18:aws_s3_bucket_logging below covers every bucket but the log bucket itself
  for_each = local.buckets

  bucket        = "${local.prefix}-${each.key}-${local.account}"
  force_destroy = false
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.data.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    dynamic "expiration" {
      for_each = each.value.expire_days == null ? [] : [each.value.expire_days]

      content {
        days = expiration.value
      }
    }

    noncurrent_version_expiration {
      noncurrent_days = each.value.noncurrent_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 3
    }
  }
}

resource "aws_s3_bucket_logging" "this" {
  for_each = { for name, rules in local.buckets : name => rules if name != "logs" }

  bucket        = aws_s3_bucket.this[each.key].id
  target_bucket = aws_s3_bucket.this["logs"].id
  target_prefix = "${each.key}/"
}

# Plain HTTP is refused on every bucket; the log bucket takes access logs of this account only.
data "aws_iam_policy_document" "bucket" {
  for_each = local.buckets

  statement {
    sid       = "OnlyOverTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this[each.key].arn, "${aws_s3_bucket.this[each.key].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "logs" ? [1] : []

    content {
      sid       = "AccessLogs"
      actions   = ["s3:PutObject"]
      resources = ["${aws_s3_bucket.this["logs"].arn}/*"]

      principals {
        type        = "Service"
        identifiers = ["logging.s3.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  policy = data.aws_iam_policy_document.bucket[each.key].json
}

# Object-created events go to EventBridge and from there to the loader's queue.
resource "aws_s3_bucket_notification" "landing" {
  bucket      = aws_s3_bucket.this["landing"].id
  eventbridge = true
}
