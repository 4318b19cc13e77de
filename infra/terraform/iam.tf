# One role for each thing that acts. Who may assume a role (trust) stands apart from what it may do (permissions), and
# no data action has a wildcard resource.

# ---- trust --------------------------------------------------------------------------------------------------
locals {
  trusted_services = {
    copy      = "redshift.amazonaws.com"
    loader    = "lambda.amazonaws.com"
    airflow   = "airflow-env.amazonaws.com"
    sagemaker = "sagemaker.amazonaws.com"
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = local.trusted_services

  statement {
    sid     = "Assume"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = each.key == "airflow" ? ["airflow-env.amazonaws.com", "airflow.amazonaws.com"] : each.key == "copy" ? ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"] : [each.value]
    }

    # Another account's service may not be led to use this role.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "copy" {
  name               = "${local.prefix}-copy"
  description        = "The warehouse, for COPY and UNLOAD"
  assume_role_policy = data.aws_iam_policy_document.trust["copy"].json
}

resource "aws_iam_role" "loader" {
  name               = "${local.prefix}-loader"
  description        = "The Lambda that loads delivered files"
  assume_role_policy = data.aws_iam_policy_document.trust["loader"].json
}

resource "aws_iam_role" "airflow" {
  name               = "${local.prefix}-airflow"
  description        = "Airflow's workers"
  assume_role_policy = data.aws_iam_policy_document.trust["airflow"].json
}

resource "aws_iam_role" "sagemaker" {
  name               = "${local.prefix}-sagemaker"
  description        = "Model fits as SageMaker jobs"
  assume_role_policy = data.aws_iam_policy_document.trust["sagemaker"].json
}

# ---- permissions --------------------------------------------------------------------------------------------
data "aws_iam_policy_document" "key" {
  statement {
    sid       = "UseTheDataKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.data.arn]
  }
}

data "aws_iam_policy_document" "copy" {
  source_policy_documents = [data.aws_iam_policy_document.key.json]

  statement {
    sid       = "ReadAndWriteStaging"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.this["staging"].arn}/*"]
  }

  statement {
    sid       = "ListStaging"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = [aws_s3_bucket.this["staging"].arn]
  }
}

data "aws_iam_policy_document" "staging" {
  statement {
    sid       = "StageParquet"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.this["staging"].arn}/*"]
  }

  statement {
    sid       = "ListStaging"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = [aws_s3_bucket.this["staging"].arn]
  }
}

data "aws_iam_policy_document" "landing" {
  statement {
    sid       = "ReadDeliveries"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${aws_s3_bucket.this["landing"].arn}/*"]
  }

  statement {
    sid       = "ListDeliveries"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.this["landing"].arn]
  }
}

data "aws_iam_policy_document" "loader" {
  # checkov:skip=CKV_AWS_111:the wildcards are EC2 network interfaces and X-Ray, which have no narrower resource
  # checkov:skip=CKV_AWS_356:as above, and Data API statement ids, bound to the caller by condition
  source_policy_documents = [
    data.aws_iam_policy_document.key.json,
    data.aws_iam_policy_document.staging.json,
    data.aws_iam_policy_document.landing.json,
  ]

  statement {
    sid       = "RunSqlOnThisWorkgroup"
    actions   = ["redshift-data:ExecuteStatement", "redshift-data:BatchExecuteStatement"]
    resources = [aws_redshiftserverless_workgroup.this.arn]
  }

  # These three are checked by statement id, which exists only at run time: a caller sees its own statements.
  statement {
    sid       = "ReadOwnStatements"
    actions   = ["redshift-data:DescribeStatement", "redshift-data:GetStatementResult", "redshift-data:CancelStatement"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "redshift-data:statement-owner-iam-userid"
      values   = ["$${aws:userid}"]
    }
  }

  statement {
    sid     = "SignInAsLoader"
    actions = ["secretsmanager:GetSecretValue"]
    resources = [
      aws_secretsmanager_secret.this["redshift/svc_loader"].arn,
      aws_secretsmanager_secret.this["pii_hash_key"].arn,
    ]
  }

  statement {
    sid       = "KeepWhatFailed"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead.arn]
  }

  statement {
    sid       = "TakeFromTheQueue"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"]
    resources = [aws_sqs_queue.deliveries.arn]
  }

  statement {
    sid       = "WriteOwnLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.loader.arn}:*"]
  }

  statement {
    sid       = "Trace"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"] # X-Ray has no resource-level permissions
  }

  # A Lambda in a VPC attaches its network interface itself; EC2 gives these no narrower resource.
  statement {
    sid       = "AttachToTheNetwork"
    actions   = ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "airflow" {
  source_policy_documents = [
    data.aws_iam_policy_document.key.json,
    data.aws_iam_policy_document.staging.json,
    data.aws_iam_policy_document.landing.json,
  ]

  statement {
    sid       = "ReadDags"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${aws_s3_bucket.this["airflow"].arn}/*"]
  }

  statement {
    sid       = "ListDags"
    actions   = ["s3:ListBucket", "s3:GetBucketVersioning", "s3:GetBucketPublicAccessBlock", "s3:GetEncryptionConfiguration"]
    resources = [aws_s3_bucket.this["airflow"].arn]
  }

  statement {
    sid       = "PublicAccessOfTheAccount"
    actions   = ["s3:GetAccountPublicAccessBlock"]
    resources = ["*"] # an account-level question
  }

  statement {
    sid       = "ReadServiceLogins"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [for name in ["redshift/svc_loader", "redshift/svc_transformer", "redshift/svc_modeler", "pii_hash_key"] : aws_secretsmanager_secret.this[name].arn]
  }

  statement {
    sid       = "WriteOwnLogs"
    actions   = ["logs:CreateLogStream", "logs:CreateLogGroup", "logs:PutLogEvents", "logs:GetLogEvents", "logs:GetLogRecord", "logs:GetLogGroupFields", "logs:GetQueryResults"]
    resources = ["arn:${local.partition}:logs:${var.region}:${local.account}:log-group:airflow-${local.prefix}-*"]
  }

  statement {
    sid       = "OwnMetrics"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"] # CloudWatch metrics have no resources

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["AmazonMWAA", local.prefix]
    }
  }

  # MWAA's Celery queue lives in AWS's own account; its name is the only handle.
  statement {
    sid       = "CeleryQueue"
    actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:SendMessage"]
    resources = ["arn:${local.partition}:sqs:${var.region}:*:airflow-celery-*"]
  }

  statement {
    sid       = "StartFits"
    actions   = ["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob"]
    resources = ["arn:${local.partition}:sagemaker:${var.region}:${local.account}:training-job/${local.prefix}-*"]
  }

  statement {
    sid       = "HandOnTheFitRole"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.sagemaker.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["sagemaker.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "sagemaker" {
  source_policy_documents = [
    data.aws_iam_policy_document.key.json,
    data.aws_iam_policy_document.staging.json,
  ]

  statement {
    sid       = "SignInAsModeler"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.this["redshift/svc_modeler"].arn]
  }

  statement {
    sid       = "WriteOwnLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:CreateLogGroup", "logs:DescribeLogStreams"]
    resources = ["arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/aws/sagemaker/TrainingJobs*"]
  }

  statement {
    sid       = "PullTheImage"
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    resources = ["arn:${local.partition}:ecr:${var.region}:${local.account}:repository/${var.name}"]
  }

  statement {
    sid       = "RegistrySignIn"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # the token is the account's
  }
}

resource "aws_iam_role_policy" "copy" {
  name   = "permissions"
  role   = aws_iam_role.copy.id
  policy = data.aws_iam_policy_document.copy.json
}

resource "aws_iam_role_policy" "loader" {
  name   = "permissions"
  role   = aws_iam_role.loader.id
  policy = data.aws_iam_policy_document.loader.json
}

resource "aws_iam_role_policy" "airflow" {
  name   = "permissions"
  role   = aws_iam_role.airflow.id
  policy = data.aws_iam_policy_document.airflow.json
}

resource "aws_iam_role_policy" "sagemaker" {
  name   = "permissions"
  role   = aws_iam_role.sagemaker.id
  policy = data.aws_iam_policy_document.sagemaker.json
}
