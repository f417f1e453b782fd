#include "harness/engine/served/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "harness/base/error.h"
#include "tests/harness/engine/served/asking.h"

namespace niah::served {
namespace {

using std::chrono::milliseconds;

TEST(HttpClient, SendsWhatIsAsked) {
  const MisbehavingServer server([](const SeenRequest&) {
    return with_header("Server", "uvicorn", json_reply({{"ok", true}}));
  });
  HttpRequest request = request_to(server, "/v1/completions?a=b");
  request.headers.emplace_back("X-Empty", "");
  request.body = R"({"prompt": [1, 2]})";
  const HttpResponse response = send(request);
  EXPECT_EQ(response.transfer, Transfer::kWhole);
  EXPECT_EQ(response.fault, "");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"ok":true})");
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.server, "uvicorn");
  EXPECT_EQ(response.retry_after, std::nullopt);
  EXPECT_EQ(response.location, "");
  const SeenRequest seen = server.requests().at(0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/v1/completions?a=b");
  EXPECT_EQ(seen.body, request.body);
  EXPECT_EQ(seen.header("authorization"), std::string("Bearer ") + kKey);
  EXPECT_EQ(seen.header("Content-Type"), "application/json");
  EXPECT_EQ(seen.header("Accept-Encoding"), "gzip, deflate");
}

TEST(HttpClient, ReachesServersByIpv6) {
  const Behaviour fine = [](const SeenRequest&) { return text_reply("fine"); };
  std::unique_ptr<MisbehavingServer> server;
  try {
    server = std::make_unique<MisbehavingServer>(fine, Loopback::kIpv6);
  } catch (const std::runtime_error&) {
    GTEST_SKIP() << "this machine has no IPv6";
  }
  const HttpResponse response = send(request_to(*server));
  EXPECT_EQ(response.body, "fine") << response.fault;
  EXPECT_THAT(server->requests().at(0).header("Host"), testing::StartsWith("[::1]:"));
}

TEST(HttpClient, LongPromptsAreSentWithoutAskingFirst) {
  const MisbehavingServer server([](const SeenRequest&) { return text_reply("fine"); });
  HttpRequest request = request_to(server);
  request.body = std::string(3'000'000, ' ');
  EXPECT_EQ(send(request).body, "fine");
  EXPECT_EQ(server.requests().at(0).header("Expect"), "");
  EXPECT_EQ(server.requests().at(0).body.size(), request.body.size());
}

TEST(HttpClient, WithoutABodyItGetsAndOwnTypesAreKept) {
  const MisbehavingServer server([](const SeenRequest&) { return text_reply("fine"); });
  HttpClient client;
  HttpRequest request = request_to(server);
  EXPECT_EQ(client.send(request).body, "fine");
  request.body = "a=b";
  request.headers.emplace_back("content-type", "text/plain");
  EXPECT_EQ(client.send(request).body, "fine");
  EXPECT_EQ(server.requests().at(0).method, "GET");
  EXPECT_EQ(server.requests().at(0).header("Content-Type"), "");
  EXPECT_EQ(server.requests().at(1).header("Content-Type"), "text/plain");
}

TEST(HttpClient, AnAnswerIsWholeWhateverItsStatus) {
  for (const int status : {200, 201, 400, 401, 404, 429, 500, 503}) {
    const HttpResponse response = answer_of(text_reply("words", status));
    EXPECT_EQ(response.transfer, Transfer::kWhole) << status;
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.body, "words") << status;
    EXPECT_EQ(response.fault, "") << status;
  }
}

TEST(HttpClient, OnlyTheBodyOfASuccessIsReceived) {
  for (const int status : {200, 500}) {
    const MisbehavingServer server([&](const SeenRequest&) {
      Reply reply = stream({{"one "}, {"two "}, {"three"}});
      reply.status = status;
      return reply;
    });
    std::string received;
    HttpRequest request = request_to(server);
    request.receive = [&](std::string_view piece) {
      received += piece;
      return true;
    };
    const HttpResponse response = send(request);
    EXPECT_EQ(received, status == 200 ? "one two three" : "");
    EXPECT_EQ(response.body, status == 200 ? "" : "one two three");
  }
}

TEST(HttpClient, PiecesMayCutCharactersApart) {
  const std::string text = "data: {\"text\": \"Zürich 東京 🙂\"}\n\n";
  for (const std::size_t size : {1, 2, 3, 5})
    EXPECT_EQ(answer_of(in_pieces_of(size, stream({{text}}))).body, text);
}

TEST(HttpClient, UnpacksGzip) {
  const std::string text = R"({"text": "東京 1234567"})";
  EXPECT_EQ(answer_of(gzipped(text_reply(text))).body, text);
  Reply chunked = in_pieces_of(3, gzipped(text_reply(text)));
  chunked.framing = Framing::kChunked;
  EXPECT_EQ(answer_of(chunked).body, text);
}

TEST(HttpClient, TheReceiverMayHaveEnough) {
  const MisbehavingServer server([](const SeenRequest&) {
    return stream({{"x", milliseconds(5)}}, Ending::kEndless);
  });
  HttpRequest request = request_to(server);
  int pieces = 0;
  request.receive = [&](std::string_view) { return ++pieces < 3; };
  HttpClient client;
  const HttpResponse response = client.send(request);
  EXPECT_EQ(response.transfer, Transfer::kEnough);
  EXPECT_EQ(response.fault, "");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(pieces, 3);
  // The server notices at once, without another request.
  for (int i = 0; i < 500 && server.left_early() == 0; ++i)
    std::this_thread::sleep_for(milliseconds(10));
  EXPECT_EQ(server.left_early(), 1);
}

TEST(HttpClient, AStopEndsEverythingAtOnce) {
  for (const Reply& reply : {stalls_at_once(), stream({{"begun"}}, Ending::kStall),
                             stream({{"x", milliseconds(1)}}, Ending::kEndless),
                             stream({{std::string(100'000, 'x')}}, Ending::kEndless)}) {
    const MisbehavingServer server([&](const SeenRequest&) { return reply; });
    std::stop_source source;
    HttpRequest request = request_to(server);
    request.stop = source.get_token();
    request.most_bytes = std::size_t{1} << 40;
    request.receive = [](std::string_view) { return true; };
    HttpResponse response;
    double seconds = 0;
    std::jthread asking([&] { response = send(request); });
    std::this_thread::sleep_for(milliseconds(300));
    seconds = seconds_of([&] {
      source.request_stop();
      asking.join();
    });
    EXPECT_EQ(response.transfer, Transfer::kStopped) << response.fault;
    EXPECT_EQ(response.fault, "stopped before " + request.url + " had answered");
    EXPECT_LT(seconds, 0.5);
  }
}

TEST(HttpClient, NothingIsSentOnceItIsStopped) {
  const MisbehavingServer server([](const SeenRequest&) { return text_reply(""); });
  HttpClient client;
  HttpRequest request = request_to(server);
  EXPECT_EQ(client.send(request).transfer, Transfer::kWhole);
  std::stop_source source;
  source.request_stop();
  request.stop = source.get_token();
  EXPECT_EQ(client.send(request).transfer, Transfer::kStopped);
  request.stop = {};
  EXPECT_EQ(client.send(request).transfer, Transfer::kWhole);
  EXPECT_EQ(server.requests().size(), 2);
}

TEST(HttpClient, WhatTheReceiverThrowsIsThrown) {
  const MisbehavingServer server([](const SeenRequest&) { return stream({{"one"}, {"two"}}); });
  HttpClient client;
  HttpRequest request = request_to(server);
  request.receive = [](std::string_view) -> bool { throw Interrupted("enough for today"); };
  EXPECT_THROW(client.send(request), Interrupted);
  request.receive = {};
  EXPECT_EQ(client.send(request).body, "onetwo");
}

TEST(HttpClient, ConnectionsAreKept) {
  const MisbehavingServer server([](const SeenRequest& request) {
    if (request.number == 1) return text_reply("busy", 429);
    if (request.number == 2) return gzipped(text_reply("small"));
    return stream({{"one"}, {"two"}});
  });
  HttpClient client;
  HttpClient moved = std::move(client);
  client = std::move(moved);
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(client.send(request_to(server)).transfer, Transfer::kWhole) << i;
  EXPECT_EQ(server.requests().size(), 6);
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, AConnectionThatWasClosedMeanwhileIsOpenedAgain) {
  const MisbehavingServer server([](const SeenRequest&) {
    Reply reply = text_reply("fine");
    reply.ending = Ending::kWholeThenClose;
    return reply;
  });
  HttpClient client;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(client.send(request_to(server)).body, "fine");
    std::this_thread::sleep_for(milliseconds(20));
  }
  EXPECT_EQ(server.connections(), 4);
}

TEST(HttpClient, ARequestThatMeetsTheEndOfAKeptConnectionIsSentAgainOnce) {
  const MisbehavingServer server([](const SeenRequest& request) {
    return request.number == 1 ? closes_at_once() : text_reply("fine");
  });
  HttpClient client;
  HttpRequest request = request_to(server);
  request.body = std::string(100'000, ' ');
  EXPECT_EQ(client.send(request).body, "fine");
  EXPECT_EQ(client.send(request).body, "fine");
  EXPECT_EQ(server.requests().size(), 3);
  EXPECT_EQ(server.requests().back().body, request.body);
}

TEST(HttpClient, ManyAskAtOnce) {
  constexpr std::size_t kClients = 64;
  const MisbehavingServer server([](const SeenRequest& request) {
    Reply reply = text_reply(request.body);
    reply.delay = milliseconds(300);
    return reply;
  });
  std::vector<std::jthread> clients;
  std::vector<std::string> answers(kClients);
  const double seconds = seconds_of([&] {
    for (std::size_t i = 0; i < kClients; ++i)
      clients.emplace_back([&, i] {
        HttpRequest request = request_to(server);
        request.body = std::to_string(i);
        answers[i] = send(request).body;
      });
    clients.clear();
  });
  for (std::size_t i = 0; i < kClients; ++i) EXPECT_EQ(answers[i], std::to_string(i));
  EXPECT_LT(seconds, 10);
  EXPECT_GT(server.most_in_flight(), kClients / 4);
  EXPECT_LE(server.most_in_flight(), kClients);
}

TEST(MisbehavingServer, NeverWaitsForItsClients) {
  std::vector<std::jthread> clients;
  const double seconds = seconds_of([&] {
    const MisbehavingServer server([](const SeenRequest& request) {
      if (request.number % 3 == 0) return stalls_at_once();
      if (request.number % 3 == 1) return stream({{"x", milliseconds(1)}}, Ending::kEndless);
      return stream({{"late", std::chrono::hours(1)}});
    });
    for (int i = 0; i < 6; ++i)
      clients.emplace_back([request = request_to(server)] { send(request); });
    while (server.requests().size() < 6) std::this_thread::sleep_for(milliseconds(5));
  });
  EXPECT_LT(seconds, 5);
  clients.clear();
}

}  // namespace
}  // namespace niah::served
