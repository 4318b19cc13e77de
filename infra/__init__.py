"""Production on AWS: Terraform, and the code of what runs there beside the DAGs."""
