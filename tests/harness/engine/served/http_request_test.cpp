#include "harness/engine/served/http_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "harness/base/error.h"
#include "tests/harness/engine/served/asking.h"
#include "tests/temporary_folder.h"

namespace niah::served {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(HttpRequest, HeadersStayOneLine) {
  const MisbehavingServer server([](const SeenRequest&) { return text_reply(""); });
  for (const std::string& value : {std::string("a-secret\r\nX-Other: 1"), std::string("a-secret\n"),
                                   std::string("a-secret\0", 9), std::string("a-secret\x7f")}) {
    HttpRequest request = request_to(server);
    request.headers = {{"Authorization", value}};
    try {
      send(request);
      ADD_FAILURE() << "was sent";
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr(request.url), HasSubstr("Authorization"),
                                      HasSubstr("byte 9 of"), Not(HasSubstr("a-secret"))));
    }
  }
  for (const char* name : {"", "X Other", "X-Other:", "X\r\nY", "Zürich"}) {
    HttpRequest request = request_to(server);
    request.headers = {{name, "value"}};
    EXPECT_THROW(send(request), DataError) << name;
  }
  EXPECT_TRUE(server.requests().empty());
}

TEST(HttpRequest, OnlyUrlsOfServersAreAsked) {
  for (const char* url :
       {"", "localhost:8000/v1", "127.0.0.1:8000", "ftp://host/v1", "file:///etc/passwd", "http://",
        "http://host:port/", "http://host:99999/", "http://a b/", "http://host/\r\nX: y", "/v1",
        "gopher://host", "httpx://host", "http://[::1/v1"}) {
    try {
      send({.url = url, .seconds = 1});
      ADD_FAILURE() << url << " was asked";
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr("http://HOST:PORT/PATH")) << url;
    }
  }
  EXPECT_THROW(send({.url = std::string("http://127.0.0.1\0.example.org", 28)}), DataError);
}

TEST(HttpRequest, UrlsHoldNoPasswords) {
  for (const char* url : {"http://me:hidden@127.0.0.1:1/v1", "https://hidden@host/v1?key=hidden",
                          "http://me:hidden@host:port/v1"}) {
    try {
      send({.url = url, .seconds = 1});
      ADD_FAILURE() << url << " was asked";
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), Not(HasSubstr("hidden")));
      EXPECT_THAT(error.what(), HasSubstr("/v1"));
    }
  }
}

TEST(HttpRequest, EchoedKeysAreHidden) {
  for (const int status : {307, 401, 500}) {
    const MisbehavingServer server([&](const SeenRequest& request) {
      const std::string key = request.header("Authorization").substr(7);
      // The key straddles the end of the part of an error that is kept.
      Reply reply = text_reply(std::string((std::size_t{64} << 10) - 10, 'x') + key, status);
      return with_header("Location", "http://127.0.0.1:1/" + key,
                         with_header("Server", std::string(290, 's') + key,
                                     with_header("Content-Type", key, std::move(reply))));
    });
    const HttpResponse response = send(request_to(server));
    for (const std::string& text :
         {response.fault, response.body, response.content_type, response.server, response.location})
      EXPECT_THAT(text, Not(HasSubstr("sk-a-"))) << status;
  }
}

TEST(HttpRequest, HidesAllKindsOfSecrets) {
  const HttpRequest request{.url = "",
                            .headers = {{"authorization", "Basic dXNlcjpwYXNz"},
                                        {"X-Api-Key", "0123456789"},
                                        {"Cookie", "session=abcdef"},
                                        {"X-Key", "short"},
                                        {"Accept", "application/json"}}};
  EXPECT_EQ(hide_secrets("Basic dXNlcjpwYXNz, 0123456789, 0123456789, session=abcdef, short, "
                         "application/json",
                         request),
            "Basic ***, ***, ***, ***, short, application/json");
}

TEST(HttpRequest, NoProxyReadsPlainRequests) {
  const MisbehavingServer proxy([](const SeenRequest&) { return text_reply("read along"); });
  const MisbehavingServer server([](const SeenRequest&) { return text_reply("fine"); });
  const Environment plain("http_proxy", proxy.origin()), all("ALL_PROXY", proxy.origin());
  EXPECT_EQ(send(request_to(server)).body, "fine");
  EXPECT_TRUE(proxy.requests().empty());
}

TEST(HttpRequest, AProxyOfHttpsSeesNoKey) {
  const MisbehavingServer proxy([](const SeenRequest&) { return text_reply("no", 403); });
  const Environment encrypted("https_proxy", proxy.origin());
  HttpRequest request = request_to(proxy);
  request.url = "https://nowhere.invalid/v1";
  EXPECT_EQ(send(request).transfer, Transfer::kNotReached);
  const SeenRequest seen = proxy.requests().at(0);
  EXPECT_EQ(seen.method, "CONNECT");
  EXPECT_EQ(seen.header("Authorization"), "");
}

TEST(HttpRequest, PasswordsOfOtherProgramsAreLeftAlone) {
  const TemporaryFolder folder;
  folder.write(".netrc", "default login me password hidden\n");
  const Environment home("HOME", folder.path());
  const MisbehavingServer server([](const SeenRequest&) { return text_reply("fine"); });
  EXPECT_EQ(send({.url = server.url()}).body, "fine");
  EXPECT_EQ(server.requests().at(0).header("Authorization"), "");
}

}  // namespace
}  // namespace niah::served
