#include "tasks/haystack/prose.h"

#include <fmt/format.h>

#include <cstddef>
#include <initializer_list>
#include <string_view>

#include "tasks/random/counter.h"

namespace niah::tasks {
namespace {

using Words = std::string_view;

constexpr Words kPeople[] = {
    "farmer",   "teacher",  "captain", "doctor",    "baker",    "gardener", "painter", "singer",
    "judge",    "merchant", "sailor",  "carpenter", "neighbor", "stranger", "student", "widow",
    "miller",   "soldier",  "tailor",  "fisherman", "shepherd", "writer",   "cook",    "clerk",
    "watchman", "lawyer",   "nurse",   "mason",     "traveler", "printer",  "weaver",  "poet"};
constexpr Words kThings[] = {
    "letter",  "lantern", "basket", "window", "bridge",  "garden", "table",    "mirror",
    "blanket", "ladder",  "wagon",  "bell",   "map",     "key",    "coat",     "barrel",
    "candle",  "chair",   "kettle", "rope",   "picture", "door",   "violin",   "hammer",
    "boat",    "clock",   "wheel",  "book",   "fence",   "bottle", "painting", "chest"};
constexpr Words kPlaces[] = {
    "village",  "harbor",  "market",   "valley", "forest",    "church",  "station",  "mill",
    "river",    "orchard", "castle",   "meadow", "library",   "kitchen", "hillside", "tavern",
    "workshop", "square",  "cottage",  "chapel", "vineyard",  "quarry",  "barn",     "theater",
    "island",   "garden",  "hospital", "school", "courtyard", "shore",   "mountain", "cellar"};
constexpr Words kMasses[] = {"rain",  "snow",  "wind",  "smoke", "fog",   "sunlight", "dust",
                             "music", "bread", "water", "grass", "wheat", "silence",  "thunder"};
constexpr Words kAdjectives[] = {
    "old",     "young", "quiet",  "tall",   "heavy",    "bright",  "narrow",  "wooden",
    "broken",  "plain", "gentle", "proud",  "small",    "famous",  "dusty",   "hungry",
    "patient", "empty", "round",  "clever", "distant",  "faded",   "humble",  "lonely",
    "modest",  "noble", "pale",   "rough",  "simple",   "strange", "tired",   "thirsty",
    "warm",    "weary", "wet",    "white",  "cheerful", "careful", "curious", "dark"};
constexpr Words kTransitive[] = {
    "carried",  "found",   "repaired", "watched", "painted",  "borrowed",   "described",
    "followed", "forgot",  "hid",      "ignored", "lifted",   "noticed",    "opened",
    "polished", "praised", "promised", "pushed",  "received", "remembered", "returned",
    "sold",     "admired", "bought",   "brought", "cleaned",  "covered",    "dropped",
    "examined", "guarded", "kept",     "moved"};
constexpr Words kIntransitive[] = {
    "waited",   "laughed", "slept",    "wandered", "worked",   "sang",    "rested", "listened",
    "argued",   "arrived", "departed", "stumbled", "whistled", "smiled",  "sighed", "danced",
    "trembled", "paused",  "hurried",  "returned", "wept",     "cheered", "prayed", "hesitated"};
constexpr Words kSpeech[] = {"said",     "believed", "thought", "explained",  "hoped",   "feared",
                             "insisted", "admitted", "guessed", "complained", "learned", "knew"};
constexpr Words kAdverbs[] = {"slowly",  "quietly",  "carefully", "gladly",  "quickly", "rarely",
                              "often",   "suddenly", "calmly",    "proudly", "sadly",   "politely",
                              "eagerly", "gently",   "firmly",    "seldom"};
constexpr Words kPrepositions[] = {"near",   "behind", "beyond", "inside", "outside",
                                   "around", "across", "above",  "below",  "beside"};
constexpr Words kTimes[] = {
    "in the morning",    "before dawn",         "after supper",         "late in the evening",
    "during the winter", "on market day",       "at the end of summer", "every autumn",
    "long ago",          "on a cold afternoon", "shortly before noon",  "after the storm",
    "in those days",     "once a year",         "when spring came",     "toward midnight"};
constexpr Words kJoints[] = {"and", "but", "while", "because", "although", "until", "so", "yet"};
constexpr Words kSimiles[] = {"a river in flood",        "a song half remembered",
                              "an old friend",           "a ship without sails",
                              "a door left open",        "the first frost",
                              "a promise kept too late", "a lamp in an empty house"};

/// The parts, joined by spaces. Callers draw them inside the braces, which C++ evaluates from left
/// to right, so that the sentence does not depend on the compiler.
std::string words(std::initializer_list<std::string> parts) {
  return fmt::format("{}", fmt::join(parts, " "));
}

/// Draws the words of one sentence.
class Writer {
 public:
  explicit Writer(std::int64_t index) : random_(fmt::format("{}/{}", kProseVersion, index)) {}

  std::string sentence() {
    std::string text = pattern();
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
    return text + '.';
  }

 private:
  template <std::size_t N>
  std::string one_of(const Words (&list)[N]) {
    return std::string(list[random_.below(N)]);
  }
  bool one_in(std::uint64_t n) { return random_.below(n) == 0; }

  /// A noun with "the" or "a", and sometimes an adjective in between.
  template <std::size_t N>
  std::string phrase(const Words (&nouns)[N]) {
    std::string text = one_in(3) ? words({one_of(kAdjectives), one_of(nouns)}) : one_of(nouns);
    if (!one_in(3)) return "the " + text;
    const bool vowel = std::string_view("aeiou").find(text[0]) != std::string_view::npos;
    return (vowel ? "an " : "a ") + text;
  }

  std::string person() { return phrase(kPeople); }
  std::string thing() { return phrase(kThings); }

  std::string place() {
    if (!one_in(4)) return words({one_of(kPrepositions), "the", one_of(kPlaces)});
    return words({one_of(kPrepositions), "the", one_of(kAdjectives), one_of(kPlaces)});
  }

  std::string action() {
    switch (random_.below(6)) {
      case 0:
        return words({one_of(kIntransitive), place()});
      case 1:
        return words({one_of(kAdverbs), one_of(kTransitive), thing()});
      case 2:
        return words({one_of(kIntransitive), one_of(kAdverbs)});
      case 3:
        return words({one_of(kTransitive), thing(), place()});
      default:
        return words({one_of(kTransitive), thing()});
    }
  }

  std::string clause() { return words({person(), action()}); }

  std::string pattern() {
    switch (random_.below(10)) {
      case 0:
        return words({one_of(kTimes) + ",", clause()});
      case 1:
        return words({clause() + ",", one_of(kJoints), clause()});
      case 2:
        return words({person(), one_of(kSpeech), "that", clause()});
      case 3:
        return words({"the", one_of(kMasses), place(), "was like", one_of(kSimiles)});
      case 4:
        return words({person(), "and", person(), one_of(kIntransitive), one_of(kTimes)});
      case 5:
        return words({"there was", thing(), place() + ",", "and nobody knew why"});
      case 6:
        return words({person() + ",", "who", one_of(kIntransitive), place() + ",", action()});
      case 7:
        return words({person(), one_of(kTransitive), thing(), one_of(kTimes)});
      case 8:
        return words({"the", one_of(kMasses), "covered the", one_of(kPlaces) + ",", "and the",
                      one_of(kPlaces), "was", one_of(kAdjectives)});
      default:
        return clause();
    }
  }

  CounterRng random_;
};

}  // namespace

std::string prose_sentence(std::int64_t index) { return Writer(index).sentence(); }

}  // namespace niah::tasks
