// How the HTTP client handles server faults.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <string>
#include <vector>

#include "tests/harness/engine/served/asking.h"

namespace niah::served {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(HttpClientFaults, OfAnErrorTheBeginningIsKept) {
  for (const Ending ending : {Ending::kWhole, Ending::kEndless}) {
    Reply reply = stream({{std::string(100'000, 'x')}}, ending);
    reply.status = 500;
    const HttpResponse response = answer_of(reply);
    EXPECT_EQ(response.transfer, Transfer::kWhole);
    EXPECT_EQ(response.body.size(), std::size_t{64} << 10);
  }
}

TEST(HttpClientFaults, ReadsRetryAfter) {
  const auto after = [](const std::string& value) {
    return answer_of(with_header("Retry-After", value, text_reply("", 429))).retry_after;
  };
  EXPECT_EQ(after("0"), 0);
  EXPECT_EQ(after("7"), 7);
  EXPECT_EQ(after("0.5"), 0.5);
  EXPECT_EQ(after("-3"), 0);
  EXPECT_EQ(after("99999999999999999999999999"), 24 * 3600);
  EXPECT_EQ(after("Wed, 21 Oct 2015 07:28:00 GMT"), 0);
  for (const char* nonsense : {"", "soon", "inf", "nan", "\xff\xfe"})
    EXPECT_EQ(after(nonsense), std::nullopt) << nonsense;
  const std::time_t later = std::time(nullptr) + 100;
  std::tm parts{};
  char date[64];
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", ::gmtime_r(&later, &parts));
  EXPECT_NEAR(after(date).value_or(-1), 100, 5);
}

TEST(HttpClientFaults, SaysWhyAServerIsNotReached) {
  std::string url;
  {
    const MisbehavingServer gone([](const SeenRequest&) { return text_reply(""); });
    url = gone.url();
  }
  const HttpResponse refused = send({.url = url});
  EXPECT_EQ(refused.transfer, Transfer::kNotReached);
  EXPECT_EQ(refused.status, 0);
  EXPECT_THAT(refused.fault, AllOf(HasSubstr("no connection to " + url), HasSubstr("check that")));

  const HttpResponse unknown = send({.url = "http://nowhere.invalid/v1?key=secret", .seconds = 20});
  EXPECT_EQ(unknown.transfer, Transfer::kNotReached);
  EXPECT_THAT(unknown.fault,
              AllOf(HasSubstr("http://nowhere.invalid/v1:"), Not(HasSubstr("secret"))));

  const MisbehavingServer plain([](const SeenRequest&) { return garbage(); });
  const HttpResponse no_tls = send({.url = fmt::format("https://127.0.0.1:{}/v1", plain.port())});
  EXPECT_EQ(no_tls.transfer, Transfer::kNotReached);
  EXPECT_THAT(no_tls.fault, HasSubstr("no connection to https://127.0.0.1"));
}

TEST(HttpClientFaults, EndsWhenTheWholeTakesTooLong) {
  const MisbehavingServer server([](const SeenRequest&) {
    return stream({{"x", milliseconds(10)}}, Ending::kEndless);
  });
  HttpRequest request = request_to(server);
  request.seconds = 0.3;
  HttpResponse response;
  EXPECT_LT(seconds_of([&] { response = send(request); }), 5);
  EXPECT_EQ(response.transfer, Transfer::kTimedOut);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.fault, request.url + " had not ended its answer after 0.3 s");
}

TEST(HttpClientFaults, EndsWhenNothingComes) {
  for (const Reply& reply : {stalls_at_once(), stream({{"begun"}}, Ending::kStall)}) {
    const MisbehavingServer server([&](const SeenRequest&) { return reply; });
    HttpRequest request = request_to(server);
    request.quiet_seconds = 0.2;
    HttpResponse response;
    EXPECT_LT(seconds_of([&] { response = send(request); }), 5);
    EXPECT_EQ(response.transfer, Transfer::kTimedOut);
    EXPECT_EQ(response.fault, request.url + " sent nothing for 0.2 s");
  }
}

TEST(HttpClientFaults, IsPatientWhileSomethingComes) {
  const std::vector<Piece> pieces(6, {"x", milliseconds(100)});
  const MisbehavingServer server([&](const SeenRequest&) { return stream(pieces); });
  HttpRequest request = request_to(server);
  request.quiet_seconds = 0.4;
  EXPECT_EQ(send(request).transfer, Transfer::kWhole);
}

TEST(HttpClientFaults, SaysThatAnAnswerWasDropped) {
  const Reply whole = text_reply(std::string(1000, 'x'));
  Reply no_gzip = with_header("Content-Encoding", "gzip", whole);
  Reply bad_chunk = with_header("Transfer-Encoding", "chunked", whole);
  bad_chunk.framing = Framing::kUntilClose;
  for (const Reply& reply :
       {closes_at_once(), cut_after(500, whole), cut_after(500, whole, Ending::kReset),
        stream({{"one"}, {"two"}}, Ending::kClose), bad_chunk, no_gzip,
        cut_after(100, gzipped(text_reply(std::string(100'000, 'x')))),
        garbage("HTTP/1.1 200 OK\r\nContent-Le")}) {
    const HttpResponse response = answer_of(reply);
    EXPECT_EQ(response.transfer, Transfer::kDropped) << response.fault;
    EXPECT_THAT(response.fault, HasSubstr("ended the connection before its answer was complete"));
    EXPECT_THAT(response.fault, HasSubstr("http://127.0.0.1:"));
  }
}

TEST(HttpClientFaults, SaysThatAnAnswerIsNoHttp) {
  for (const char* bytes :
       {"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "{\"error\": \"no HTTP\"}", "\x15\x03\x01\xff\x00"}) {
    const HttpResponse response = answer_of(garbage(bytes));
    EXPECT_EQ(response.transfer, Transfer::kDropped) << response.fault;
    EXPECT_THAT(response.fault, HasSubstr("no HTTP"));
    EXPECT_EQ(response.status, 0);
  }
}

TEST(HttpClientFaults, EndlessAnswersEndAtTheBound) {
  for (const bool is_received : {false, true}) {
    const MisbehavingServer server(
        [](const SeenRequest&) { return stream({{std::string(5000, 'x')}}, Ending::kEndless); });
    std::size_t received = 0;
    HttpRequest request = request_to(server);
    request.most_bytes = 1'000'000;
    if (is_received) {
      request.receive = [&](std::string_view piece) {
        received += piece.size();
        return true;
      };
    }
    const HttpResponse response = send(request);
    EXPECT_EQ(response.transfer, Transfer::kTooLarge);
    EXPECT_THAT(response.fault, HasSubstr("more than 1000000 bytes"));
    EXPECT_LE(response.body.size() + received, request.most_bytes);
    EXPECT_GT(response.body.size() + received, request.most_bytes / 2);
  }
}

TEST(HttpClientFaults, AnAnswerMayBeAsLongAsTheBound) {
  const MisbehavingServer server([](const SeenRequest&) { return text_reply("12345"); });
  HttpRequest request = request_to(server);
  request.most_bytes = 5;
  EXPECT_EQ(send(request).transfer, Transfer::kWhole);
  request.most_bytes = 4;
  EXPECT_EQ(send(request).transfer, Transfer::kTooLarge);
}

TEST(HttpClientFaults, CompressedAnswersCountAsWhatTheyBecome) {
  const MisbehavingServer server([](const SeenRequest&) {
    return gzipped(text_reply(std::string(std::size_t{20} << 20, ' ')));
  });
  HttpRequest request = request_to(server);
  request.most_bytes = 1'000'000;
  const HttpResponse response = send(request);
  EXPECT_EQ(response.transfer, Transfer::kTooLarge);
  EXPECT_LE(response.body.size(), request.most_bytes);
}

TEST(HttpClientFaults, HeadersAreBounded) {
  for (const char* again : {"X-Again: and again\r\n", "HTTP/1.1 100 Continue\r\n\r\n"}) {
    Reply reply = garbage("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n");
    if (*again == 'H') reply.pieces.clear();
    reply.pieces.push_back({again});
    reply.ending = Ending::kEndless;
    const HttpResponse response = answer_of(reply);
    EXPECT_EQ(response.transfer, Transfer::kTooLarge) << response.fault;
    EXPECT_THAT(response.fault, HasSubstr("bytes of headers"));
  }
}

TEST(HttpClientFaults, RedirectsAreNotFollowed) {
  const MisbehavingServer other([](const SeenRequest&) { return text_reply("caught"); });
  for (const int status : {301, 302, 303, 307, 308}) {
    const MisbehavingServer server([&](const SeenRequest&) {
      return redirect(other.origin() + "/v1/steal?token=abc", status);
    });
    const HttpResponse response = send(request_to(server));
    EXPECT_EQ(response.transfer, Transfer::kRedirected);
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.location, other.origin() + "/v1/steal");
    EXPECT_THAT(response.fault, AllOf(HasSubstr(server.origin() + "/v1/models sends on to " +
                                                other.origin() + "/v1/steal"),
                                      HasSubstr("not followed")));
  }
  EXPECT_TRUE(other.requests().empty());
}

TEST(HttpClientFaults, RedirectsToTheSameServerAreSaid) {
  const MisbehavingServer server([](const SeenRequest& request) {
    return request.path == "/v1/models" ? redirect("/v1/models/") : text_reply("there");
  });
  const HttpResponse response = send(request_to(server));
  EXPECT_EQ(response.transfer, Transfer::kRedirected);
  EXPECT_EQ(response.location, server.origin() + "/v1/models/");
  EXPECT_EQ(server.requests().size(), 1);
}

TEST(HttpClientFaults, RedirectsMayBeNonsense) {
  for (const char* location :
       {"file:///etc/passwd", "http://user:word@[::1", "\xff\x01", "//", "http://a b/"}) {
    const HttpResponse response = answer_of(redirect(location));
    EXPECT_EQ(response.transfer, Transfer::kRedirected) << location;
    EXPECT_THAT(response.fault, Not(HasSubstr("word@")));
    EXPECT_EQ(response.fault.find_first_of("\r\n\x01"), std::string::npos) << response.fault;
  }
  const HttpResponse nowhere = answer_of(text_reply("", 304));
  EXPECT_EQ(nowhere.transfer, Transfer::kRedirected);
  EXPECT_THAT(nowhere.fault, HasSubstr("leads nowhere"));
  Reply endless = redirect("/there");
  endless.framing = Framing::kChunked;
  endless.ending = Ending::kEndless;
  EXPECT_EQ(answer_of(endless).transfer, Transfer::kRedirected);
}

TEST(HttpClientFaults, AServerThatIsGoneIsNotAskedForEver) {
  const MisbehavingServer server([](const SeenRequest& request) {
    return request.number == 0 ? text_reply("fine") : closes_at_once();
  });
  HttpClient client;
  EXPECT_EQ(client.send(request_to(server)).body, "fine");
  EXPECT_EQ(client.send(request_to(server)).transfer, Transfer::kDropped);
  EXPECT_LE(server.requests().size(), 3);
}

}  // namespace
}  // namespace niah::served
