variable "name" {
  description = "Prefix of every resource's name."
  type        = string
  default     = "retail-ad-warehouse"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name: 3 to 31 lower-case letters, digits and hyphens."
  }
}

variable "environment" {
  description = "dev, staging or prod."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment: dev, staging or prod."
  }
}

variable "region" {
  description = "AWS region of everything."
  type        = string
  default     = "us-east-1"
}

variable "vpc_id" {
  description = "The network in which the warehouse is reachable; nothing here is reachable from outside it."
  type        = string
}

variable "private_subnet_ids" {
  description = "Private subnets in three availability zones (Redshift Serverless needs three, MWAA uses the first two)."
  type        = list(string)

  validation {
    condition     = length(var.private_subnet_ids) >= 3
    error_message = "private_subnet_ids: three subnets in different availability zones."
  }
}

variable "client_security_group_ids" {
  description = "Security groups of BI tools and dashboards that may open connections to the warehouse."
  type        = list(string)
  default     = []
}

variable "image_uri" {
  description = "Digest-pinned image of this project in ECR (repository@sha256:...), for the Lambda and SageMaker."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image_uri))
    error_message = "image_uri: pin the image by digest (repository@sha256:...)."
  }
}

variable "base_capacity_rpu" {
  description = "Redshift Serverless base capacity. docs/production.md says how to choose it."
  type        = number
  default     = 8
}

variable "max_capacity_rpu" {
  description = "Upper limit of scaling, so that one query cannot cost without bound."
  type        = number
  default     = 64
}

variable "daily_rpu_hours" {
  description = "RPU-hours a day after which the workgroup stops accepting queries."
  type        = number
  default     = 48
}

variable "monthly_budget_usd" {
  description = "Budget of all resources with this project's tag."
  type        = number
  default     = 1500
}

variable "alert_emails" {
  description = "Who hears of budgets, alarms and failed loads."
  type        = list(string)

  validation {
    condition     = length(var.alert_emails) > 0
    error_message = "alert_emails: at least one address."
  }
}

variable "airflow_environment_class" {
  description = "MWAA environment class."
  type        = string
  default     = "mw1.small"
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 365
}

variable "airflow_redshift_user" {
  description = "Warehouse user of MWAA's tasks; it needs the roles of loader, transformer and modeler, because one environment signs in as one user"
  type        = string
  default     = "svc_transformer"
}
