#include "harness/config/served_section.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "harness/base/text.h"

namespace niah {
namespace {

// The limits of values; configs/reference.yaml documents them.
constexpr IntegerRange kConcurrency{1, 1024};
constexpr IntegerRange kRetries{0, 100};
constexpr NumberRange kTimeout{1, 86'400};
constexpr NumberRange kShare{0, 1};
constexpr std::size_t kLongestText = 1000;
constexpr std::size_t kMostHeaders = 32;
constexpr std::array kSecretWords = {"authorization", "api-key",      "api_key",    "apikey",
                                     "secret",        "passw",        "credential", "cookie",
                                     "access_token",  "access-token", "auth_token", "auth-token"};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

template <typename... Choices>
bool is_any(const std::string& text, const Choices&... choices) {
  return ((text == choices) || ...);
}

/// Whether a text looks like a key rather than the name of one: a well-known prefix, or a long word
/// that mixes digits, upper and lower case.
bool looks_like_key(const std::string& text) {
  constexpr std::array kBeginnings = {"sk-", "sk_",  "gsk_",   "hf_",  "pk_",
                                      "rk_", "xai-", "nvapi-", "aiza", "akia"};
  const std::string word = lower(text);
  if (std::any_of(kBeginnings.begin(), kBeginnings.end(),
                  [&](const char* begin) { return word.starts_with(begin); }))
    return true;
  constexpr std::size_t kLongWord = 24;
  const auto any = [&](auto is) { return std::any_of(text.begin(), text.end(), is); };
  return text.size() >= kLongWord && !any([](unsigned char c) { return std::isalnum(c) == 0; }) &&
         any([](unsigned char c) { return std::isdigit(c) != 0; }) &&
         any([](unsigned char c) { return std::islower(c) != 0; }) &&
         any([](unsigned char c) { return std::isupper(c) != 0; });
}

/// Whether a value looks like a key, or like the value of an `Authorization` header.
bool is_key_or_login(const std::string& text) {
  const std::string word = lower(text);
  return looks_like_key(text) || word.starts_with("bearer ") || word.starts_with("basic ");
}

/// Whether a field or header of that name would carry a secret.
bool is_name_of_secret(const std::string& name) {
  const std::string word = lower(name);
  const bool contains =
      std::any_of(kSecretWords.begin(), kSecretWords.end(),
                  [&](const char* secret) { return word.find(secret) != std::string::npos; });
  return contains || is_any(word, "auth", "key", "token", "bearer") || word.ends_with("-auth");
}

/// Whether a part of a URL's path looks like a key.
bool holds_key(const std::string& path) {
  std::istringstream parts(path);
  for (std::string part; std::getline(parts, part, '/');)
    if (looks_like_key(part)) return true;
  return false;
}

/// The host in lower case, with its port unless that is the scheme's default. Empty when
/// `authority` is not valid.
std::string plain_host(const std::string& scheme, const std::string& authority) {
  // An IPv6 address is in brackets and has colons itself.
  const std::size_t closed = authority.starts_with('[') ? authority.find(']') : 0;
  if (closed == std::string::npos) return "";
  const std::size_t colon = authority.find(':', closed);
  const std::string host = lower(authority.substr(0, colon));
  const char* allowed =
      closed > 0 ? "0123456789abcdef:.[]" : "0123456789abcdefghijklmnopqrstuvwxyz.-_";
  const bool is_host = host.size() > (closed > 0 ? 2U : 0U) &&
                       (closed == 0 || host.size() == closed + 1) &&
                       host.find_first_not_of(allowed) == std::string::npos;
  if (!is_host) return "";
  if (colon == std::string::npos) return host;
  const auto port = parse_integer(std::string_view(authority).substr(colon + 1), {1, 65'535});
  if (!port) return "";
  return *port == (scheme == "https" ? 443 : 80) ? host : fmt::format("{}:{}", host, *port);
}

/// Never shows the URL: it may hold a key.
std::string read_url(YamlMap& map) {
  constexpr const char* kSuch = "such as http://localhost:8000/v1 was expected";
  const std::string url = map.text("url");
  const auto refuse = [&](const std::string& what) { map.refuse("url", what); };
  if (url.size() > kLongestText)
    refuse(fmt::format("it is longer than {} bytes; {}", kLongestText, kSuch));
  if (!is_printable_ascii(url) || url.find_first_of(" \"<>\\^`{|}") != std::string::npos)
    refuse(fmt::format("it holds a blank, or a character that no URL has; {}", kSuch));
  const std::size_t colon = url.find("://");
  const std::string scheme = lower(url.substr(0, std::min(colon, url.size())));
  if (colon == std::string::npos || !is_any(scheme, "http", "https"))
    refuse(fmt::format("it does not begin with http:// or https://; {}", kSuch));
  const std::string rest = url.substr(colon + 3);
  const std::size_t slash = std::min(rest.find_first_of("/?#"), rest.size());
  if (rest.substr(0, slash).find('@') != std::string::npos)
    refuse(
        "it names a user or a password, which plan.json would keep; leave them out, and name the "
        "environment variable that holds a key by `key_env`");
  if (rest.find_first_of("?#") != std::string::npos)
    refuse(
        "it has a query or a fragment (after ? or #), which plan.json would keep; leave it out: a "
        "key is named by `key_env`, anything else that the server needs goes into `headers`");
  const std::string host = plain_host(scheme, rest.substr(0, slash));
  if (host.empty()) refuse(fmt::format("it names no host, or no port from 1 to 65,535; {}", kSuch));
  std::string path = rest.substr(slash);
  if (holds_key(path))
    refuse("a part of its path looks like a key, which plan.json would keep; use key_env");
  while (path.ends_with('/')) path.pop_back();
  for (const char* end : {"/chat/completions", "/completions", "/models"})
    if (path.ends_with(end))
      refuse(fmt::format("it ends in {}, which niah adds itself; leave that off", end));
  return fmt::format("{}://{}{}", scheme, host, path);
}

/// Never shows the value: it may be a key by mistake.
std::string read_key_env(YamlMap& map) {
  if (!map.has("key_env")) return map.text("key_env", "");
  const std::string name = map.text("key_env");
  if (looks_like_key(name))
    map.refuse("key_env",
               "it looks like a key (and is therefore not shown); the name of the environment "
               "variable that holds it was expected, such as OPENAI_API_KEY. If it is one, take it "
               "out of the file, and do not use it any more if others have read that");
  const bool is_name = !name.empty() && name.size() <= 128 &&
                       std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
                       std::all_of(name.begin(), name.end(), [](unsigned char c) {
                         return std::isalnum(c) != 0 || c == '_';
                       });
  if (!is_name)
    map.refuse("key_env",
               "the name of an environment variable was expected, such as OPENAI_API_KEY: letters, "
               "digits and _");
  return name;
}

/// Throws UsageError for a header that may hold a secret, or that niah sends itself.
void check_header_name(const YamlMap& headers, const std::string& name) {
  const std::string word = lower(name);
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  const bool is_name =
      !name.empty() && name.size() <= 100 &&
      std::all_of(name.begin(), name.end(), [&](unsigned char c) {
        return std::isalnum(c) != 0 || kMarks.find(static_cast<char>(c)) != kMarks.npos;
      });
  if (!is_name)
    headers.refuse(name, "no header has such a name: letters, digits and - were expected");
  // In a header's name "token" always means a secret; in a body's it may be a count, such as
  // max_tokens.
  if (is_name_of_secret(word) || word.find("token") != std::string::npos)
    headers.refuse(name,
                   "it would carry a secret, which plan.json would keep; use key_env: it names the "
                   "environment variable that holds the key, which is sent as `Authorization: "
                   "Bearer`");
  if (is_any(word, "host", "content-type", "content-length", "content-encoding", "accept",
             "accept-encoding", "connection", "transfer-encoding", "expect", "te", "upgrade"))
    headers.refuse(name, "this header is niah's own to send; leave it out");
}

std::vector<std::pair<std::string, std::string>> read_headers(YamlMap& map) {
  std::vector<std::pair<std::string, std::string>> headers;
  auto given = map.optional_map("headers");
  if (!given) return headers;
  for (const std::string& name : given->keys()) {
    check_header_name(*given, name);
    const std::string value = given->text(name);
    if (value.empty() || value.size() > kLongestText || !is_printable_ascii(value))
      given->refuse(
          name, fmt::format("one line of ASCII of at most {} bytes was expected", kLongestText));
    if (is_key_or_login(value))
      given->refuse(name,
                    "it looks like a key (and is therefore not shown), which plan.json would "
                    "keep; use key_env");
    for (const auto& [other, said] : headers)
      if (lower(other) == lower(name))
        given->refuse(name, fmt::format("this header was already given, as '{}'", other));
    headers.emplace_back(name, value);
  }
  if (headers.size() > kMostHeaders)
    map.refuse("headers", fmt::format("at most {} were expected", kMostHeaders));
  return headers;
}

/// Throws UsageError for a value that may be a secret.
void check_no_key(const YamlMap& fields, const std::string& name, const nlohmann::json& value) {
  const auto refuse = [&] {
    fields.refuse(name,
                  "it holds what looks like a key (and is therefore not shown), which "
                  "plan.json would keep; use key_env");
  };
  if (is_name_of_secret(name)) refuse();
  if (value.is_object())
    for (const auto& [inner, part] : value.items())
      if (is_name_of_secret(inner)) refuse();
  if (value.is_structured())
    for (const nlohmann::json& part : value) check_no_key(fields, name, part);
  if (value.is_string() && is_key_or_login(value.get<std::string>())) refuse();
}

/// Throws UsageError for a number that would be sent as another one, or as text.
void check_numbers(const YamlMap& fields, const std::string& name, const YAML::Node& node) {
  if (!node.IsScalar()) {
    for (const auto& item : node)
      check_numbers(fields, name, node.IsMap() ? item.second : YAML::Node(item));
    return;
  }
  if (node.Tag() == "!") return;  // quoted
  const std::string text = node.Scalar();
  const nlohmann::json value = yaml_to_json(node);
  const bool is_integer = !text.empty() && text.find_first_not_of("+-0123456789") == text.npos;
  double number = 0;
  const char *begin = text.data() + (text.starts_with('+') ? 1 : 0),
             *end = text.data() + text.size();
  const char* const read = std::from_chars(begin, end, number).ptr;
  const bool has_digit =
      std::any_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  // from_chars also consumes numbers that are out of range; YAML's own spellings are .nan and .inf.
  const bool is_number = (has_digit && read == end) || YAML::convert<double>::decode(node, number);
  if (is_number && (!value.is_number() || (is_integer && !value.is_number_integer())))
    fields.refuse(name, fmt::format("{} is a number that JSON or 64 bits cannot hold; write it in "
                                    "quotes where a text is meant",
                                    valid_utf8(cut_short(text, 60))));
}

std::string read_extra_body(YamlMap& map) {
  auto given = map.optional_map("extra_body");
  if (!given) return "";
  nlohmann::json body = nlohmann::json::object();
  for (const std::string& name : given->keys()) {
    if (is_any(name, "model", "prompt", "messages", "max_tokens", "max_completion_tokens",
               "n_predict", "max_new_tokens", "stop", "stop_token_ids", "stream", "stream_options",
               "temperature", "n", "best_of", "echo", "logprobs", "prompt_logprobs",
               "add_generation_prompt", "continue_final_message", "truncate_prompt_tokens"))
      given->refuse(name, "this field is niah's own to send; leave it out");
    const YAML::Node value = given->raw(name);
    check_numbers(*given, name, value);
    body[name] = yaml_to_json(value);
    check_no_key(*given, name, body[name]);
  }
  if (body.empty()) return "";
  const std::string text = body.dump();
  if (text.size() > kLongestText)
    map.refuse("extra_body", fmt::format("at most {} bytes were expected", kLongestText));
  return text;
}

}  // namespace

ServedConfig read_served(YamlMap map) {
  ServedConfig served;
  served.url = read_url(map);
  served.model = map.text("model");
  if (served.model.empty() || served.model.size() > kLongestText ||
      single_line(served.model) != served.model)
    map.refuse("model", "what the server calls its model was expected, in one line");
  served.api = map.choice("api", served.api, {"completions", "chat"});
  served.prompts = map.choice("prompts", served.prompts, {"auto", "ids", "text"});
  served.log_probs = map.choice("log_probs", served.log_probs, {"none", "echo", "prompt_logprobs"});
  served.order = map.choice("order", served.order, {"prefix", "shuffled"});
  if (served.api == "chat") {
    if (served.prompts == "ids")
      map.refuse("prompts", "a chat is given as text; `ids` belongs to `api: completions`");
    if (served.log_probs == "echo")
      map.refuse("log_probs",
                 "a chat endpoint does not echo its prompt; `echo` belongs to `api: completions`");
  }
  served.key_env = read_key_env(map);
  served.concurrency = map.integer("concurrency", served.concurrency, kConcurrency);
  served.timeout = map.number("timeout", served.timeout, kTimeout);
  served.retries = map.integer("retries", served.retries, kRetries);
  served.cache_probe = map.number("cache_probe", served.cache_probe, kShare);
  served.headers = read_headers(map);
  served.extra_body = read_extra_body(map);
  map.finish();
  return served;
}

nlohmann::ordered_json served_json(const ServedConfig& served) {
  nlohmann::ordered_json json = {{"url", served.url},
                                 {"model", served.model},
                                 {"api", served.api},
                                 {"prompts", served.prompts}};
  if (!served.key_env.empty()) json["key_env"] = served.key_env;
  json["concurrency"] = served.concurrency;
  json["timeout"] = served.timeout;
  json["retries"] = served.retries;
  json["log_probs"] = served.log_probs;
  json["order"] = served.order;
  json["cache_probe"] = served.cache_probe;
  for (const auto& [name, value] : served.headers) json["headers"][name] = value;
  if (!served.extra_body.empty())
    json["extra_body"] = nlohmann::ordered_json::parse(served.extra_body);
  return json;
}

std::string served_text(const ServedConfig& served) {
  std::string text = fmt::format("{}, model {}, {}", served.url, served.model, served.api);
  if (served.prompts != "auto") text += fmt::format(", prompts as {}", served.prompts);
  if (served.order == "shuffled") text += ", in shuffled order";
  for (const auto& [name, value] : served.headers) text += fmt::format(", {}: {}", name, value);
  if (!served.extra_body.empty()) text += fmt::format(", with {}", served.extra_body);
  return text;
}

}  // namespace niah
