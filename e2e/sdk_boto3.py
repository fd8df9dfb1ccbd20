"""What a script does with boto3, on an endpoint of ours. Prints what it found as JSON."""

import json
import sys

import boto3
from botocore.exceptions import ClientError

endpoint, node = sys.argv[1:]
iam, sts, ssm, ec2 = (boto3.client(name, endpoint_url=endpoint) for name in ("iam", "sts", "ssm", "ec2"))
found = {}


def refused(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response
    raise AssertionError(f"{call} was not refused")


def trust(principal):
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


identity = sts.get_caller_identity()
found["identity"] = identity["Arn"]

for number in (1, 2, 3):
    iam.create_role(
        RoleName=f"boto-{number}",
        Path="/boto/",
        AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}),
    )
iam.get_waiter("role_exists").wait(RoleName="boto-1")
role = iam.get_role(RoleName="boto-1")["Role"]
found["trusted"] = role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]

policy = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}
iam.put_role_policy(RoleName="boto-1", PolicyName="reads", PolicyDocument=json.dumps(policy))
shown = iam.get_role_policy(RoleName="boto-1", PolicyName="reads")
found["inline"] = shown["PolicyDocument"]["Statement"]

pages = iam.get_paginator("list_roles").paginate(PathPrefix="/boto/", PaginationConfig={"PageSize": 2})
found["paged"] = [role["RoleName"] for page in pages for role in page["Roles"]]

iam.create_instance_profile(InstanceProfileName="boto")
iam.get_waiter("instance_profile_exists").wait(InstanceProfileName="boto")
iam.add_role_to_instance_profile(InstanceProfileName="boto", RoleName="boto-1")
profile = iam.get_instance_profile(InstanceProfileName="boto")["InstanceProfile"]
found["profileRole"] = profile["Roles"][0]["RoleName"]

missing = refused(iam.get_role, RoleName="nobody")
found["missing"] = [missing["Error"]["Code"], missing["ResponseMetadata"]["HTTPStatusCode"]]
malformed = refused(iam.create_role, RoleName="bad", AssumeRolePolicyDocument="{")
found["malformed"] = malformed["Error"]["Code"]

listed = ssm.get_paginator("describe_instance_information").paginate()
found["nodes"] = [each["InstanceId"] for page in listed for each in page["InstanceInformationList"]]
found["status"] = ssm.get_connection_status(Target=node)["Status"]

reservations = ec2.get_paginator("describe_instances").paginate()
found["instances"] = sum(len(page["Reservations"]) for page in reservations)
nowhere = refused(ec2.describe_instances, InstanceIds=["i-0123456789abcdef0"])
found["noInstance"] = nowhere["Error"]["Code"]

iam.update_assume_role_policy(
    RoleName="boto-1", PolicyDocument=trust({"AWS": f"arn:aws:iam::{identity['Account']}:root"})
)
iam.update_role(RoleName="boto-1", MaxSessionDuration=7200)
credentials = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="script", DurationSeconds=7200)["Credentials"]
session = boto3.Session(
    aws_access_key_id=credentials["AccessKeyId"],
    aws_secret_access_key=credentials["SecretAccessKey"],
    aws_session_token=credentials["SessionToken"],
)
assumed = session.client("sts", endpoint_url=endpoint).get_caller_identity()["Arn"]
found["assumed"] = assumed.split(":")[-1]

iam.remove_role_from_instance_profile(InstanceProfileName="boto", RoleName="boto-1")
iam.delete_instance_profile(InstanceProfileName="boto")
iam.delete_role_policy(RoleName="boto-1", PolicyName="reads")
for number in (1, 2, 3):
    iam.delete_role(RoleName=f"boto-{number}")
found["deleted"] = refused(iam.get_role, RoleName="boto-1")["Error"]["Code"]

print(json.dumps(found))
