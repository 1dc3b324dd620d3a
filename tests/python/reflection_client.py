"""A client of the suite that knows nothing but server reflection.

usage: reflection_client.py ADDRESS CREDENTIALS.json

Walks the headline through gRPC and prints one JSON object; fails loudly on anything unexpected.
"""

import datetime
import json
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


class Suite:
    def __init__(self, address, secrets):
        self.channel = grpc.insecure_channel(address)
        self.reflection = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.reflection)
        self.secrets = secrets

    def services(self):
        return sorted(self.reflection.get_services())

    def call(self, caller, service, method, request):
        described = self.pool.FindServiceByName(service).FindMethodByName(method)
        ask = message_factory.GetMessageClass(described.input_type)
        answer = message_factory.GetMessageClass(described.output_type)
        stub = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=ask.SerializeToString,
            response_deserializer=answer.FromString,
        )
        metadata = [("authorization", f"Bearer {self.secrets[caller]}")] if caller else []
        reply = stub(json_format.ParseDict(request, ask()), metadata=metadata, timeout=10)
        return json_format.MessageToDict(reply)



def main():
    address, credentials = sys.argv[1:3]
    with open(credentials, encoding="utf-8") as file:
        suite = Suite(address, json.load(file))
    rating = "greenstar.rating.v1.RatingService"
    flags = "greenstar.sanctions.v1.FlagService"
    licensing = "greenstar.supervision.v1.LicensingService"
    finance = "greenstar.supervision.v1.FinanceService"
    enforcement = "greenstar.supervision.v1.EnforcementService"

    for service in (rating, flags, licensing, finance, enforcement):
        assert service in suite.services(), f"{service} is not in {suite.services()}"

    rounds = suite.call(None, "greenstar.rating.v1.RoundService", "ListRounds", {})
    round_name = rounds["rounds"][0]["name"]
    directory = suite.call(None, rating, "ListDirectory", {"round": round_name, "page_size": 1000})
    counts = {count["star"]: count["count"] for count in directory["counts"]}
    firm = next(entry["enterprise"] for entry in directory["entries"] if entry["star"] == 5)

    def doors(token=None):
        consistency = {"at_least_as_fresh": [token]} if token else {}
        permit = suite.call(
            "licensing", licensing, "CheckPermit",
            {"enterprise": firm, "permit_kind": "pollutant-permit", "consistency": consistency},
        )
        tier = suite.call(
            "finance", finance, "CheckGreenFinance", {"enterprise": firm, "consistency": consistency}
        )
        regime = suite.call(
            "enforcement", enforcement, "GetInspectionRegime", {"enterprise": firm, "consistency": consistency}
        )
        return [permit["outcome"], tier["outcome"], regime["outcome"]]

    live = suite.call("rating", rating, "GetRating", {"name": f"{firm}/rating"})
    before = doors()
    day = (datetime.date.today() - datetime.timedelta(days=20)).isoformat()
    raised = suite.call(
        "enforcement", flags, "RaiseFlag",
        {
            "parent": firm,
            "kind": "serious-penalty",
            "document": {"issuer": "北京市大兴区生态环境局", "number": "京兴环罚〔2026〕77号", "date": day},
        },
    )
    proposed = doors(raised["token"])
    confirmed = suite.call("enforcement/2", flags, "ConfirmFlag", {"name": raised["flag"]["name"]})
    restricted = doors(confirmed["token"])
    lifted = suite.call(
        "enforcement", flags, "LiftFlag", {"name": raised["flag"]["name"], "reason": "scenario ends"}
    )
    after = doors(lifted["token"])

    try:
        suite.call(None, licensing, "CheckPermit", {"enterprise": firm, "permit_kind": "pollutant-permit"})
        stranger = "OK"
    except grpc.RpcError as error:
        stranger = error.code().name

    print(
        json.dumps(
            {
                "counts": counts,
                "star": live["rating"]["star"],
                "before": before,
                "proposed": proposed,
                "restricted": restricted,
                "after": after,
                "stranger": stranger,
            }
        )
    )


if __name__ == "__main__":
    main()
