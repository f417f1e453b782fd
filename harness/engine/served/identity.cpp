#include "harness/engine/served/identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string_view>
#include <thread>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/interrupt.h"
#include "harness/base/json_integer.h"
#include "harness/base/numbers.h"
#include "harness/base/strict_json.h"
#include "harness/base/text.h"
#include "harness/engine/served/pace.h"
#include "harness/engine/served/server.h"

namespace niah::served {
namespace {

using nlohmann::json;

constexpr std::size_t kMostName = 100, kMostBytes = std::size_t{8} << 20;

/// With shorter limits: nobody should wait long at the beginning of a run.
ServedConfig impatient(ServedConfig config, double most_seconds, std::int64_t most_retries) {
  config.timeout = std::min(config.timeout, most_seconds);
  config.retries = std::min(config.retries, most_retries);
  return config;
}

/// The JSON object that a server answered with; null if its answer is not an object.
struct Told {
  Outcome outcome;
  json object;
};

/// Requests a stop when a signal has come.
class InterruptStop {
 public:
  std::stop_token token() const { return stop_.get_token(); }

 private:
  std::stop_source stop_;
  std::jthread watch_{[this](const std::stop_token& over) {
    constexpr double kLookSeconds = 0.05;
    while (!interrupt_requested())
      if (!wait_seconds(kLookSeconds, over)) return;
    stop_.request_stop();
  }};
};

/// Throws Interrupted when a signal ends it.
Told get(Server& server, const std::string& url) {
  Told told;
  const InterruptStop stop;
  HttpRequest http = server.request(url, {}, stop.token());
  http.most_bytes = kMostBytes;
  told.outcome = server.ask(
      [&](HttpClient& client) {
        const HttpResponse response = client.send(http);
        const Outcome outcome = judge(response, server.hiding());
        if (outcome.result != Result::kAnswered) return outcome;
        try {
          told.object = parse_strict_json(response.body);
          hide_in(told.object, server.hiding());
        } catch (const JsonError&) {  // a page for people: the server has no such list
          told.object = nullptr;
        }
        if (!told.object.is_object()) told.object = nullptr;
        return outcome;
      },
      stop.token());
  stop_if_interrupted();
  return told;
}

std::string text_at(const json& object, std::string_view pointer) {
  const json::json_pointer at{std::string(pointer)};
  if (!object.contains(at) || !object.at(at).is_string()) return {};
  return cut_short(single_line(object.at(at).get<std::string>()), kMostName);
}

std::int64_t count_at(const json& object, std::string_view pointer) {
  const json::json_pointer at{std::string(pointer)};
  if (!object.contains(at) || !is_integer_of<std::int64_t>(object.at(at))) return 0;
  return std::clamp<std::int64_t>(object.at(at).get<std::int64_t>(), 0, kLongestLength);
}

/// Whether llama.cpp's server knows the model by that name, too.
bool has_alias(const json& entry, const std::string& name) {
  const auto aliases = entry.find("aliases");
  return aliases != entry.end() && aliases->is_array() &&
         std::find(aliases->begin(), aliases->end(), name) != aliases->end();
}

/// The list's entry of the model; null where there is no list. Throws DataError when the list does
/// not have it.
json entry_of(const json& list, const ServedConfig& config) {
  const json::json_pointer data("/data");
  if (!list.contains(data) || !list.at(data).is_array()) return nullptr;
  std::vector<std::string> names;
  for (const json& entry : list.at(data)) {
    const bool has_name = entry.is_object() && entry.contains("id") && entry.at("id").is_string();
    if (!has_name) continue;
    if (entry.at("id") == config.model || has_alias(entry, config.model)) return entry;
    names.push_back(text_at(entry, "/id"));
  }
  if (names.empty()) return nullptr;
  constexpr std::size_t kShown = 5;
  std::string shown;
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i)
    shown += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kShown) shown += fmt::format(" and {} more", names.size() - kShown);
  throw DataError(fmt::format("asking {} for its models: it has no '{}'{}; it has {}", config.url,
                              single_line(config.model), did_you_mean(config.model, names), shown));
}

/// Where a kind of server tells its version, which OpenAI's interface does not cover.
struct VersionPage {
  const char* owner;    ///< `owned_by` in its list of models
  const char* program;  ///< for people
  const char* path;
  const char* version;  ///< pointers into the answer
  const char* longest;
};
constexpr VersionPage kVersionPages[] = {
    {"vllm", "vllm", "/version", "/version", "/max_model_len"},
    {"llamacpp", "llama.cpp", "/props", "/build_info", "/default_generation_settings/n_ctx"},
    {"sglang", "sglang", "/get_server_info", "/version", "/context_length"},
};

/// The server's URL without "/v1", the version of OpenAI's interface.
std::string root_of(const std::string& url) {
  constexpr std::string_view kVersion = "/v1";
  return url.ends_with(kVersion) ? url.substr(0, url.size() - kVersion.size()) : url;
}

/// Asks the page of the server's kind, or all where the kind is not known.
void ask_version(ServerIdentity& identity, const ServedConfig& config, const std::string& key,
                 const std::string& owner) {
  constexpr double kSeconds = 10;
  Server server(impatient(config, kSeconds, 0), key, {});
  const bool is_known = std::any_of(std::begin(kVersionPages), std::end(kVersionPages),
                                    [&](const VersionPage& page) { return page.owner == owner; });
  for (const VersionPage& page : kVersionPages) {
    if (is_known && page.owner != owner) continue;
    const Told told = get(server, root_of(config.url) + page.path);
    if (told.outcome.result != Result::kAnswered) continue;
    const std::string version = text_at(told.object, page.version);
    if (version.empty()) continue;
    identity.version = fmt::format("{} {}", page.program, version);
    if (const std::int64_t longest = count_at(told.object, page.longest); longest > 0)
      identity.longest = longest;
    return;
  }
}

}  // namespace

ServerIdentity identify(const ServedConfig& config, const std::string& key) {
  constexpr double kSeconds = 30;
  constexpr std::int64_t kRetries = 2;
  Server server(impatient(config, kSeconds, kRetries), key, {});
  const Told list = get(server, config.url + "/models");
  const Outcome& outcome = list.outcome;
  const bool has_no_list = outcome.status == 404 || outcome.result == Result::kRefused;
  if (outcome.result != Result::kAnswered && !has_no_list) throw server.hopeless(outcome);
  ServerIdentity identity;
  const json entry = entry_of(list.object, config);
  if (!entry.is_null()) {
    identity.model = config.model;
    // The server's own limit, or else the length that the model was trained for.
    identity.longest = count_at(entry, "/max_model_len");
    for (const char* place : {"/meta/n_ctx", "/meta/n_ctx_train"})
      if (identity.longest == 0) identity.longest = count_at(entry, place);
  }
  ask_version(identity, config, key, text_at(entry, "/owned_by"));
  return identity;
}

}  // namespace niah::served
