"""Calls every operation of IAM that there is here, with boto3, and holds each answer against AWS's own model of it.

Prints the operations that were called, as JSON. Whatever is wrong ends it with an error.
"""

import json
import sys

import boto3
from botocore.exceptions import ClientError

(endpoint,) = sys.argv[1:]
administrator = boto3.client("iam", endpoint_url=endpoint)
called = set()

# Promised by the model, and by its own documentation absent for what was never used.
SOMETIMES = {"LastUsedDate"}


def check_members(shape, value, path):
    """What AWS promises to be in an answer is in it."""
    if shape.type_name == "structure":
        for name in shape.required_members:
            assert name in value or name in SOMETIMES, f"{path}.{name} is missing in {value}"
        for name, member in shape.members.items():
            if name in value:
                check_members(member, value[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for index, each in enumerate(value):
            check_members(shape.member, each, f"{path}[{index}]")


def call(operation, client=administrator, **arguments):
    called.add(operation)
    method = next(name for name, own in client.meta.method_to_api_mapping.items() if own == operation)
    answer = getattr(client, method)(**arguments)
    shape = client.meta.service_model.operation_model(operation).output_shape
    if shape is not None:
        check_members(shape, answer, operation)
    return answer


def refused(code, operation, **arguments):
    try:
        call(operation, **arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
    else:
        raise AssertionError(f"{operation} was not refused")


def document(action, **more):
    statement = {"Effect": "Allow", "Action": action, "Resource": "*", **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def text(policy):
    return json.dumps(policy)


TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
TAGS = [{"Key": "team", "Value": "web"}]
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def people():
    user = call("CreateUser", UserName="ada", Path="/staff/", Tags=TAGS, PermissionsBoundary=READ_ONLY)["User"]
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ_ONLY
    call("DeleteUserPermissionsBoundary", UserName="ada")
    call("PutUserPermissionsBoundary", UserName="ada", PermissionsBoundary=READ_ONLY)
    call("DeleteUserPermissionsBoundary", UserName="ada")
    call("TagUser", UserName="ada", Tags=[{"Key": "level", "Value": "1"}])
    assert len(call("ListUserTags", UserName="ada")["Tags"]) == 2
    call("UntagUser", UserName="ada", TagKeys=["level"])
    assert call("GetUser", UserName="ada")["User"]["Tags"] == TAGS
    assert call("GetUser")["User"]["UserName"] == "admin"
    call("UpdateUser", UserName="ada", NewUserName="ada.l", NewPath="/staff/it/")
    assert [each["Arn"] for each in call("ListUsers", PathPrefix="/staff/it/")["Users"]] == [
        user["Arn"].replace("staff/ada", "staff/it/ada.l")
    ]
    assert call("GetUser", UserName="ada.l")["User"]["UserId"] == user["UserId"]


def keys():
    key = call("CreateAccessKey", UserName="ada.l")["AccessKey"]
    assert key["Status"] == "Active" and key["AccessKeyId"].startswith("AKIA")
    unused = call("GetAccessKeyLastUsed", AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
    assert unused["ServiceName"] == "N/A" and "LastUsedDate" not in unused
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    own = session.client("iam", endpoint_url=endpoint)
    call("CreateLoginProfile", UserName="ada.l", Password="Correct-horse-1", PasswordResetRequired=True)
    assert call("GetLoginProfile", UserName="ada.l")["LoginProfile"]["PasswordResetRequired"] is True
    call("UpdateLoginProfile", UserName="ada.l", PasswordResetRequired=False)
    call("PutUserPolicy", UserName="ada.l", PolicyName="own", PolicyDocument=text(document("iam:ChangePassword")))
    call("ChangePassword", client=own, OldPassword="Correct-horse-1", NewPassword="Correct-horse-2")
    used = call("GetAccessKeyLastUsed", AccessKeyId=key["AccessKeyId"])
    assert used["UserName"] == "ada.l" and used["AccessKeyLastUsed"]["ServiceName"] == "iam"
    call("UpdateAccessKey", UserName="ada.l", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    try:
        own.get_user()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidClientTokenId", error
    else:
        raise AssertionError("an inactive key was let in")
    assert call("ListAccessKeys", UserName="ada.l")["AccessKeyMetadata"][0]["Status"] == "Inactive"
    call("DeleteLoginProfile", UserName="ada.l")
    call("DeleteAccessKey", UserName="ada.l", AccessKeyId=key["AccessKeyId"])
    refused("NoSuchEntity", "GetLoginProfile", UserName="ada.l")


def groups():
    call("CreateGroup", GroupName="dev", Path="/teams/")
    call("UpdateGroup", GroupName="dev", NewGroupName="developers")
    call("AddUserToGroup", GroupName="developers", UserName="ada.l")
    assert [each["UserName"] for each in call("GetGroup", GroupName="developers")["Users"]] == ["ada.l"]
    assert [each["GroupName"] for each in call("ListGroups", PathPrefix="/teams/")["Groups"]] == ["developers"]
    assert len(call("ListGroupsForUser", UserName="ada.l")["Groups"]) == 1


def managed_policies():
    first, second = document("ssm:StartSession"), document(["ssm:StartSession", "ssm:TerminateSession"])
    policy = call("CreatePolicy", PolicyName="Shells", PolicyDocument=text(first), Description="d", Tags=TAGS)["Policy"]
    arn = policy["Arn"]
    call("TagPolicy", PolicyArn=arn, Tags=[{"Key": "TEAM", "Value": "x"}])
    assert len(call("ListPolicyTags", PolicyArn=arn)["Tags"]) == 2
    call("UntagPolicy", PolicyArn=arn, TagKeys=["TEAM"])
    version = call("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=text(second))["PolicyVersion"]
    assert (version["VersionId"], version["IsDefaultVersion"]) == ("v2", False)
    assert call("GetPolicyVersion", PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"] == second
    call("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v2")
    call("DeletePolicyVersion", PolicyArn=arn, VersionId="v1")
    assert [each["VersionId"] for each in call("ListPolicyVersions", PolicyArn=arn)["Versions"]] == ["v2"]
    assert [each["Arn"] for each in call("ListPolicies", Scope="Local")["Policies"]] == [arn]
    assert call("GetPolicy", PolicyArn=arn)["Policy"]["Tags"] == TAGS
    return arn


def policies_of(owner, name, arn):
    """`owner` is User, Group or Role: all three have policies alike."""
    who = {f"{owner}Name": name}
    call(f"Attach{owner}Policy", PolicyArn=arn, **who)
    attached = call(f"ListAttached{owner}Policies", **who)["AttachedPolicies"]
    assert attached == [{"PolicyName": "Shells", "PolicyArn": arn}], attached
    inline = document("s3:GetObject", Condition={"StringLike": {"s3:prefix": ["ä/%/+"]}})
    call(f"Put{owner}Policy", PolicyName="inline", PolicyDocument=text(inline), **who)
    assert "inline" in call(f"List{owner}Policies", **who)["PolicyNames"]
    assert call(f"Get{owner}Policy", PolicyName="inline", **who)["PolicyDocument"] == inline


def without_policies(owner, name, arn):
    who = {f"{owner}Name": name}
    call(f"Detach{owner}Policy", PolicyArn=arn, **who)
    for policy in call(f"List{owner}Policies", **who)["PolicyNames"]:
        call(f"Delete{owner}Policy", PolicyName=policy, **who)
    refused("NoSuchEntity", f"Get{owner}Policy", PolicyName="inline", **who)


def roles():
    call("CreateRole", RoleName="Nodes", AssumeRolePolicyDocument=text(TRUST), Tags=TAGS)
    call("PutRolePermissionsBoundary", RoleName="Nodes", PermissionsBoundary=READ_ONLY)
    call("DeleteRolePermissionsBoundary", RoleName="Nodes")
    call("TagRole", RoleName="Nodes", Tags=[{"Key": "x", "Value": ""}])
    call("UntagRole", RoleName="Nodes", TagKeys=["x"])
    assert call("ListRoleTags", RoleName="Nodes")["Tags"] == TAGS
    call("UpdateRole", RoleName="Nodes", MaxSessionDuration=7200)
    call("UpdateRoleDescription", RoleName="Nodes", Description="of nodes")
    call("UpdateAssumeRolePolicy", RoleName="Nodes", PolicyDocument=text(TRUST))
    role = call("GetRole", RoleName="Nodes")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("of nodes", 7200)
    assert role["AssumeRolePolicyDocument"] == TRUST
    assert "Nodes" in [each["RoleName"] for each in call("ListRoles")["Roles"]]
    call("CreateServiceLinkedRole", AWSServiceName="ssm.amazonaws.com")
    task = call("DeleteServiceLinkedRole", RoleName="AWSServiceRoleForAmazonSSM")["DeletionTaskId"]
    assert call("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=task)["Status"] == "SUCCEEDED"


def profiles():
    profile = {"InstanceProfileName": "Nodes"}
    call("CreateInstanceProfile", Tags=TAGS, **profile)
    call("TagInstanceProfile", Tags=[{"Key": "x", "Value": "y"}], **profile)
    call("UntagInstanceProfile", TagKeys=["x"], **profile)
    assert call("ListInstanceProfileTags", **profile)["Tags"] == TAGS
    call("AddRoleToInstanceProfile", RoleName="Nodes", **profile)
    assert len(call("GetInstanceProfile", **profile)["InstanceProfile"]["Roles"]) == 1
    assert len(call("ListInstanceProfiles")["InstanceProfiles"]) == 1
    assert len(call("ListInstanceProfilesForRole", RoleName="Nodes")["InstanceProfiles"]) == 1


def account(arn):
    used = call("ListEntitiesForPolicy", PolicyArn=arn)
    assert [len(used[kind]) for kind in ("PolicyUsers", "PolicyGroups", "PolicyRoles")] == [1, 1, 1]
    assert call("GetPolicy", PolicyArn=arn)["Policy"]["AttachmentCount"] == 3
    summary = call("GetAccountSummary")["SummaryMap"]
    assert (summary["Users"], summary["Groups"], summary["InstanceProfiles"]) == (2, 1, 1), summary
    details = call("GetAccountAuthorizationDetails")
    assert [each["GroupList"] for each in details["UserDetailList"] if each["UserName"] == "ada.l"] == [["developers"]]
    nodes = next(each for each in details["RoleDetailList"] if each["RoleName"] == "Nodes")
    assert nodes["AssumeRolePolicyDocument"] == TRUST and len(nodes["InstanceProfileList"]) == 1
    call("ListAccountAliases")
    assert call("GetAccountPasswordPolicy")["PasswordPolicy"]["MinimumPasswordLength"] >= 8


def simulation():
    user = call("GetUser", UserName="ada.l")["User"]["Arn"]
    question = {"ActionNames": ["ssm:StartSession", "ssm:SendCommand"], "ResourceArns": ["*"]}
    for operation, source in (
        ("SimulatePrincipalPolicy", {"PolicySourceArn": user}),
        ("SimulateCustomPolicy", {"PolicyInputList": [text(document("ssm:StartSession"))]}),
    ):
        results = call(operation, **source, **question)["EvaluationResults"]
        assert [each["EvalDecision"] for each in results] == ["allowed", "implicitDeny"], results
    conditional = document("s3:*", Condition={"StringEquals": {"aws:PrincipalTag/team": "web"}})
    asked = call("GetContextKeysForCustomPolicy", PolicyInputList=[text(conditional)])
    assert asked["ContextKeyNames"] == ["aws:PrincipalTag/team"], asked
    assert "s3:prefix" in call("GetContextKeysForPrincipalPolicy", PolicySourceArn=user)["ContextKeyNames"]


def down(arn):
    """In the order that AWS asks for, which refuses any other."""
    refused("DeleteConflict", "DeleteInstanceProfile", InstanceProfileName="Nodes")
    refused("DeleteConflict", "DeleteRole", RoleName="Nodes")
    refused("DeleteConflict", "DeletePolicy", PolicyArn=arn)
    refused("DeleteConflict", "DeleteGroup", GroupName="developers")
    refused("DeleteConflict", "DeleteUser", UserName="ada.l")
    for owner, name in OWNERS:
        without_policies(owner, name, arn)
    call("RemoveRoleFromInstanceProfile", InstanceProfileName="Nodes", RoleName="Nodes")
    call("DeleteInstanceProfile", InstanceProfileName="Nodes")
    call("RemoveUserFromGroup", GroupName="developers", UserName="ada.l")
    call("DeleteGroup", GroupName="developers")
    call("DeleteRole", RoleName="Nodes")
    call("DeletePolicy", PolicyArn=arn)
    call("DeleteUser", UserName="ada.l")


OWNERS = (("User", "ada.l"), ("Group", "developers"), ("Role", "Nodes"))

people()
keys()
groups()
roles()
profiles()
shells = managed_policies()
for each in OWNERS:
    policies_of(*each, shells)
account(shells)
simulation()
down(shells)
print(json.dumps(sorted(called)))
