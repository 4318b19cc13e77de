"""``python -m infra.landing_bucket``: make the bucket of LANDING_URI where there is none yet; anything else stays as it is.

For a store of one's own (docker-compose.yml). On AWS Terraform makes the buckets, with versions, keys and policies.
"""

from __future__ import annotations

import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from settings import SettingsError, load_settings


def ensure(uri: str) -> bool:
    """Make the bucket of ``s3://bucket/prefix`` if it is missing; True if it was made. A folder needs nothing."""
    if not uri.startswith("s3://"):
        return False
    bucket, s3 = uri.removeprefix("s3://").partition("/")[0], boto3.client("s3")
    try:
        s3.head_bucket(Bucket=bucket)
        return False
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
    s3.create_bucket(Bucket=bucket)
    return True


def main() -> int:
    """Returns 0; 2 with one line where the store refuses or does not answer."""
    try:
        uri = load_settings().landing_uri
        print(f"{uri}: {'made' if ensure(uri) else 'there'}")
    except (SettingsError, BotoCoreError, ClientError) as error:
        print(f"landing bucket: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
