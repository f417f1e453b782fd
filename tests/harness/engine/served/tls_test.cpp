// Whom the HTTP client trusts.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/engine/served/asking.h"
#include "tests/harness/engine/served/tls_server.h"
#include "tests/temporary_folder.h"

namespace niah::served {
namespace {

using testing::AllOf;
using testing::HasSubstr;

HttpResponse ask(const TlsServer& server, const std::string& host = "localhost") {
  return send({.url = fmt::format("https://{}:{}/v1", host, server.port()),
               .headers = {{"Authorization", std::string("Bearer ") + kKey}},
               .seconds = 20});
}

/// Not reached, for want of trust; the key was not sent.
void expect_no_trust(const HttpResponse& response, const TlsServer& server) {
  EXPECT_EQ(response.transfer, Transfer::kNotReached);
  EXPECT_EQ(response.status, 0);
  EXPECT_THAT(response.fault,
              AllOf(HasSubstr("no connection to https://"),
                    HasSubstr("a certificate is trusted where"), HasSubstr("SSL_CERT_FILE")));
  EXPECT_EQ(server.received(), "");
}

TEST(Tls, ACertificateThatNobodyVouchesForIsRefused) {
  const TlsServer server("localhost");
  expect_no_trust(ask(server), server);
}

TEST(Tls, TheFileOfTheEnvironmentVouches) {
  const TlsServer server("localhost");
  const TemporaryFolder folder;
  folder.write("authority.pem", server.certificate());
  const Environment trusted("SSL_CERT_FILE", folder.path() / "authority.pem");
  const HttpResponse response = ask(server);
  EXPECT_EQ(response.transfer, Transfer::kWhole) << response.fault;
  EXPECT_EQ(response.body, "fine");
  EXPECT_THAT(server.received(), HasSubstr(kKey));
}

TEST(Tls, ACertificateOfAnotherHostOrOfThePastIsRefused) {
  const TemporaryFolder folder;
  const Environment trusted("SSL_CERT_FILE", folder.path() / "authority.pem");
  const TlsServer other("elsewhere.example");
  folder.write("authority.pem", other.certificate());
  expect_no_trust(ask(other), other);
  const TlsServer past("localhost", -1);
  folder.write("authority.pem", past.certificate());
  expect_no_trust(ask(past), past);
}

TEST(Tls, AFileOfAuthoritiesThatIsNotThereTrustsNobody) {
  const TlsServer server("localhost");
  const Environment trusted("SSL_CERT_FILE", "/nowhere/authority.pem");
  expect_no_trust(ask(server), server);
}

}  // namespace
}  // namespace niah::served
