# Three groups, each with the narrowest door: clients and jobs may speak to the warehouse, nothing speaks from outside.
resource "aws_security_group" "warehouse" {
  name_prefix = "${local.prefix}-warehouse-"
  description = "Redshift: connections from jobs and listed clients only"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "jobs" {
  name_prefix = "${local.prefix}-jobs-"
  description = "Airflow workers, the loader and model jobs"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "warehouse_from_jobs" {
  security_group_id            = aws_security_group.warehouse.id
  description                  = "SQL from the jobs"
  referenced_security_group_id = aws_security_group.jobs.id
  ip_protocol                  = "tcp"
  from_port                    = 5439
  to_port                      = 5439
}

resource "aws_vpc_security_group_ingress_rule" "warehouse_from_clients" {
  for_each = toset(var.client_security_group_ids)

  security_group_id            = aws_security_group.warehouse.id
  description                  = "SQL from BI tools and dashboards"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 5439
  to_port                      = 5439
}

# MWAA's scheduler, workers and web server speak to one another.
resource "aws_vpc_security_group_ingress_rule" "jobs_among_themselves" {
  security_group_id            = aws_security_group.jobs.id
  description                  = "Airflow's own traffic"
  referenced_security_group_id = aws_security_group.jobs.id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "jobs_to_warehouse" {
  security_group_id            = aws_security_group.jobs.id
  description                  = "SQL to the warehouse"
  referenced_security_group_id = aws_security_group.warehouse.id
  ip_protocol                  = "tcp"
  from_port                    = 5439
  to_port                      = 5439
}

resource "aws_vpc_security_group_egress_rule" "jobs_among_themselves" {
  security_group_id            = aws_security_group.jobs.id
  description                  = "Airflow's own traffic"
  referenced_security_group_id = aws_security_group.jobs.id
  ip_protocol                  = "-1"
}

# AWS APIs over TLS, through the VPC's endpoints or its NAT.
resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = { jobs = aws_security_group.jobs.id, warehouse = aws_security_group.warehouse.id }

  security_group_id = each.value
  description       = "AWS APIs over TLS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
