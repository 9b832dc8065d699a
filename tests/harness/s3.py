"""A server that speaks S3 and checks signatures, for one test: prints where it is and the keys, and ends with its input."""

import json
import logging
import os
import sys

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "5"
os.environ["AWS_ACCESS_KEY_ID"] = "none"
os.environ["AWS_SECRET_ACCESS_KEY"] = "none"
logging.getLogger("werkzeug").setLevel(logging.ERROR)

import boto3  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://{host}:{port}"


def client(service):
    return boto3.client(service, region_name="us-east-1", endpoint_url=url)


client("s3").create_bucket(Bucket="backups")
iam = client("iam")
iam.create_user(UserName="ann")
every = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="ann", PolicyName="s3", PolicyDocument=json.dumps(every))
key = iam.create_access_key(UserName="ann")["AccessKey"]
# From here on signatures count.
client("s3").list_buckets()
print(json.dumps({"url": url, "access": key["AccessKeyId"], "secret": key["SecretAccessKey"]}), flush=True)
sys.stdin.read()
