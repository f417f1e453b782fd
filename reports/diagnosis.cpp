#include "reports/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "harness/base/files.h"
#include "harness/base/text.h"
#include "reports/format.h"
#include "reports/line_chart.h"
#include "reports/markup.h"
#include "reports/page.h"
#include "reports/palette.h"
#include "reports/statistics.h"

namespace niah::reports {
namespace {

const std::string kNone(kGap);

/// The order in which parts are shown.
constexpr std::array kParts = {"Q", "K", "V", "O", "gate", "other mixer", "MLP", "norm"};

/// Change of several tensors together, relative to their norm.
struct Drift {
  double change = 0, norm = 0;
  void add(const TensorChange& tensor) {
    change += tensor.change * tensor.change;
    norm += tensor.norm * tensor.norm;
  }
  std::optional<double> relative() const {
    return norm > 0 ? std::optional(std::sqrt(change / norm)) : std::nullopt;
  }
};

template <typename Chosen>
std::optional<double> drift_of(const Diagnosis& diagnosis, const Chosen& chosen) {
  Drift drift;
  for (const TensorChange& tensor : diagnosis.tensors)
    if (chosen(tensor)) drift.add(tensor);
  return drift.relative();
}

std::optional<double> drift_at(const Diagnosis& diagnosis, std::int64_t layer, const char* part) {
  return drift_of(diagnosis, [&](const TensorChange& tensor) {
    return tensor.layer == layer && tensor.part == part;
  });
}

/// The layers in order, with their mixers.
std::map<std::int64_t, std::string> layers_of(const Diagnosis& diagnosis) {
  std::map<std::int64_t, std::string> layers;
  for (const TensorChange& tensor : diagnosis.tensors)
    if (tensor.layer) layers[*tensor.layer] = tensor.mixer;
  return layers;
}

std::vector<const HeadLook*> heads_of(const Diagnosis& diagnosis, const std::string& variant) {
  std::vector<const HeadLook*> heads;
  for (const HeadLook& head : diagnosis.heads)
    if (head.variant == variant) heads.push_back(&head);
  return heads;
}

/// Places, among the heads of a variant, of the reference's retrieval heads.
std::vector<std::size_t> retrieval_heads(const Diagnosis& diagnosis) {
  std::vector<std::size_t> places;
  if (diagnosis.variants.empty()) return places;
  const auto heads = heads_of(diagnosis, diagnosis.variants.front());
  for (std::size_t i = 0; i < heads.size(); ++i)
    if (heads[i]->needle_mass >= kRetrievalMass) places.push_back(i);
  return places;
}

double mean_mass(const std::vector<const HeadLook*>& heads,
                 const std::vector<std::size_t>& places) {
  double sum = 0;
  for (const std::size_t place : places) sum += heads.at(place)->needle_mass;
  return sum / static_cast<double>(places.size());
}

double mean_distance(const std::vector<const HeadLook*>& heads) {
  double sum = 0;
  for (const HeadLook* head : heads) sum += head->distance;
  return sum / static_cast<double>(heads.size());
}

std::string share_or_gap(const std::optional<double>& value) {
  return value ? percent(*value, 2) : kNone;
}

std::string plain(double value) { return fmt::format("{:.6g}", value); }

// ----------------------------------------------------------------------------------------- words

std::string weights_in_words(const Diagnosis& diagnosis) {
  const auto part = [&](const char* name, bool softmax) {
    return drift_of(diagnosis, [&](const TensorChange& tensor) {
      const bool in_softmax = tensor.mixer == "softmax" || tensor.mixer == "sliding-window";
      return tensor.layer && tensor.part == name && in_softmax == softmax;
    });
  };
  std::vector<std::string> softmax;
  for (const char* name : {"Q", "K", "V", "O"})
    if (const auto drift = part(name, true))
      softmax.push_back(fmt::format("{} by {} %", name, percent(*drift, 2)));
  std::string text;
  if (!softmax.empty())
    text = fmt::format("The fine-tune moved the softmax layers' {}", fmt::join(softmax, ", "));
  const auto linear = drift_of(diagnosis, [](const TensorChange& tensor) {
    return tensor.layer && tensor.part != "MLP" && tensor.part != "norm" &&
           tensor.mixer != "softmax" && tensor.mixer != "sliding-window";
  });
  if (linear) text += fmt::format("; the linear layers' mixers by {} %", percent(*linear, 2));
  const auto mlp = drift_of(diagnosis, [](const TensorChange& t) { return t.part == "MLP"; });
  if (mlp) text += fmt::format("; the MLPs by {} %", percent(*mlp, 2));
  const auto embedding =
      drift_of(diagnosis, [](const TensorChange& t) { return t.part == "embedding"; });
  if (embedding) text += fmt::format("; the embedding by {} %", percent(*embedding, 2));
  return text.empty() ? "" : text + " of their norm.";
}

std::string routing_in_words(const Diagnosis& diagnosis) {
  if (diagnosis.routing.empty()) return "";
  std::vector<double> changes, angles;
  for (const RoutingChange& head : diagnosis.routing) {
    changes.push_back(head.relative_change);
    angles.push_back(std::max(head.query_angle, head.key_angle));
  }
  const auto most = std::max_element(diagnosis.routing.begin(), diagnosis.routing.end(),
                                     [](const RoutingChange& a, const RoutingChange& b) {
                                       return a.relative_change < b.relative_change;
                                     });
  return fmt::format(
      "What decides where softmax attention looks, W_Q^T W_K, changed by {} % of its norm in the "
      "median head (most in layer {}, head {}: {} %), and its leading directions turned by {:.1f} "
      "degrees.",
      percent(median(changes)), most->layer, most->head, percent(most->relative_change),
      median(angles));
}

std::string retrieval_in_words(const Diagnosis& diagnosis) {
  const std::vector<std::size_t> places = retrieval_heads(diagnosis);
  const std::string& reference = diagnosis.variants.front();
  const std::size_t all = heads_of(diagnosis, reference).size();
  if (places.empty())
    return fmt::format(
        "No head of {} puts {} % of its final attention on the needle: there are no retrieval "
        "heads "
        "to lose on these prompts.",
        reference, percent(kRetrievalMass, 0));
  std::string text = fmt::format(
      "{} of the {} softmax heads of {} {}: the final position puts at least {} % of its attention "
      "on the needle (by chance: {} %). There the needle gets",
      places.size(), all, reference,
      places.size() == 1 ? "is a retrieval head" : "are retrieval heads",
      percent(kRetrievalMass, 0), percent(diagnosis.chance, 2));
  std::string list;
  for (const std::string& variant : diagnosis.variants)
    list += fmt::format("{} {} % in {}", list.empty() ? "" : ",",
                        percent(mean_mass(heads_of(diagnosis, variant), places)), variant);
  return text + list + ".";
}

std::string distance_in_words(const Diagnosis& diagnosis) {
  std::string list;
  for (const std::string& variant : diagnosis.variants)
    list += fmt::format("{} {:.0f} in {}", list.empty() ? "" : ",",
                        mean_distance(heads_of(diagnosis, variant)), variant);
  return fmt::format("Mean attention distance over all softmax heads, in tokens of {:.0f}:{}.",
                     diagnosis.length, list);
}

// ---------------------------------------------------------------------------------------- tables

Table layer_table(const Diagnosis& diagnosis) {
  Table table{"drift-layers",
              "Change of the weights by layer, in percent of their norm before",
              {{"layer"}, {"mixer", Align::kLeft}},
              {}};
  for (const char* part : kParts) table.columns.push_back({part});
  for (const auto& [layer, mixer] : layers_of(diagnosis)) {
    std::vector<std::string> row = {std::to_string(layer), mixer};
    for (const char* part : kParts) row.push_back(share_or_gap(drift_at(diagnosis, layer, part)));
    table.add_row(std::move(row));
  }
  return table;
}

Table tensor_table(const Diagnosis& diagnosis) {
  Table table{"drift-tensors",
              "Change of every tensor",
              {{"tensor", Align::kLeft},
               {"layer"},
               {"mixer", Align::kLeft},
               {"part", Align::kLeft},
               {"norm_before"},
               {"change"},
               {"relative_change"}},
              {}};
  for (const TensorChange& tensor : diagnosis.tensors)
    table.add_row({tensor.name, tensor.layer ? std::to_string(*tensor.layer) : "", tensor.mixer,
                   tensor.part, plain(tensor.norm), plain(tensor.change),
                   tensor.norm > 0 ? plain(tensor.change / tensor.norm) : ""});
  return table;
}

Table routing_table(const Diagnosis& diagnosis) {
  constexpr const char* kQuery = "query side, degrees";
  constexpr const char* kKey = "key side, degrees";
  Table table{"routing",
              "How W_Q^T W_K of every softmax head changed: in percent of its norm, and principal "
              "angles between the directions that hold 90 % of its squared norm",
              {{"layer"},
               {"head"},
               {"change %"},
               {"directions"},
               {"mean", Align::kRight, kQuery},
               {"largest", Align::kRight, kQuery},
               {"mean", Align::kRight, kKey},
               {"largest", Align::kRight, kKey}},
              {}};
  const auto degrees = [](double value) { return fmt::format("{:.2f}", value); };
  for (const RoutingChange& head : diagnosis.routing)
    table.add_row({std::to_string(head.layer), std::to_string(head.head),
                   percent(head.relative_change, 2), std::to_string(head.rank),
                   degrees(head.query_angle), degrees(head.query_angle_max),
                   degrees(head.key_angle), degrees(head.key_angle_max)});
  return table;
}

Table attention_table(const Diagnosis& diagnosis) {
  Table table{"attention",
              "Where softmax heads look at the end of a prompt: share of the final position's "
              "attention on the needle in percent, and mean attention distance in tokens",
              {{"layer"}, {"head"}, {"retrieval head", Align::kLeft}},
              {}};
  std::vector<std::vector<const HeadLook*>> columns;
  for (const std::string& variant : diagnosis.variants) {
    table.columns.push_back({"needle %", Align::kRight, variant});
    table.columns.push_back({"distance", Align::kRight, variant});
    columns.push_back(heads_of(diagnosis, variant));
  }
  if (columns.empty()) return table;
  for (std::size_t i = 0; i < columns.front().size(); ++i) {
    const HeadLook& reference = *columns.front()[i];
    std::vector<std::string> row = {std::to_string(reference.layer), std::to_string(reference.head),
                                    reference.needle_mass >= kRetrievalMass ? "yes" : ""};
    for (const auto& heads : columns) {
      row.push_back(percent(heads.at(i)->needle_mass, 2));
      row.push_back(fmt::format("{:.1f}", heads.at(i)->distance));
    }
    table.add_row(std::move(row));
  }
  return table;
}

// ----------------------------------------------------------------------------------------- plots

/// Layers down, heads across.
struct Grid {
  std::string title;
  std::vector<std::int64_t> layers;
  std::int64_t heads = 0;
  struct Square {
    std::int64_t layer = 0, head = 0;
    double shade = 0;  ///< 0 (dark) to 1 (light)
    std::string text, tip;
  };
  std::vector<Square> squares;
};

Grid empty_grid(std::string title, const std::vector<const HeadLook*>& heads) {
  Grid grid;
  grid.title = std::move(title);
  std::set<std::int64_t> layers;
  for (const HeadLook* head : heads) {
    layers.insert(head->layer);
    grid.heads = std::max(grid.heads, head->head + 1);
  }
  grid.layers.assign(layers.begin(), layers.end());
  return grid;
}

std::string grid_svg(const Grid& grid) {
  constexpr int kLeft = 24, kTop = 4, kHeight = 17;
  const int cell = grid.heads <= 12 ? 27 : 14;
  const auto rows = static_cast<int>(grid.layers.size());
  const int width = kLeft + cell * static_cast<int>(grid.heads) + 8;
  const int height = kTop + kHeight * rows + 18;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"map\" role=\"img\" aria-label=\"{0}. "
      "Rows: "
      "layers. Columns: heads.\" width=\"{1}\" height=\"{2}\" viewBox=\"0 0 {1} {2}\">\n",
      escape_html(grid.title), width, height);
  for (const Grid::Square& square : grid.squares) {
    const auto row = std::find(grid.layers.begin(), grid.layers.end(), square.layer);
    const int x = kLeft + cell * static_cast<int>(square.head);
    const int y = kTop + kHeight * static_cast<int>(row - grid.layers.begin());
    const Colour fill = recall_colour(square.shade);
    out += fmt::format(
        "<g><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>",
        escape_html(square.tip), x, y, cell - 1, kHeight - 1, hex(fill));
    if (cell > 20)
      out += fmt::format("<text class=\"value\" x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>",
                         x + (cell - 1) / 2.0, y + kHeight / 2.0 + 2.9, hex(ink_on(fill)),
                         escape_html(square.text));
    out += "</g>\n";
  }
  for (int row = 0; row < rows; ++row)
    out += fmt::format("<text class=\"tick end\" x=\"{}\" y=\"{}\">{}</text>\n", kLeft - 5,
                       kTop + kHeight * row + 12, grid.layers[static_cast<std::size_t>(row)]);
  out += fmt::format("<text class=\"tick\" x=\"{}\" y=\"{}\">heads</text>", kLeft, height - 4);
  return out + "</svg>\n";
}

std::string grid_figure(const Grid& grid, const std::string& name, const std::string& aside) {
  return fmt::format("<figure><figcaption>{} <span>{}</span></figcaption>\n{}</figure>\n",
                     html_text(name), html_text(aside), grid_svg(grid));
}

std::string needle_grids(const Diagnosis& diagnosis) {
  const std::vector<std::size_t> places = retrieval_heads(diagnosis);
  std::string out = "<div class=\"strip\">\n";
  for (const std::string& variant : diagnosis.variants) {
    const auto heads = heads_of(diagnosis, variant);
    Grid grid = empty_grid(variant + ": attention on the needle", heads);
    for (const HeadLook* head : heads)
      grid.squares.push_back({head->layer, head->head, head->needle_mass,
                              percent(head->needle_mass, 0),
                              fmt::format("layer {}, head {}: {} % of the final position's "
                                          "attention on the needle",
                                          head->layer, head->head, percent(head->needle_mass))});
    out +=
        grid_figure(grid, variant, places.empty() ? "" : percent_words(mean_mass(heads, places)));
  }
  return out + "</div>\n";
}

std::string distance_grids(const Diagnosis& diagnosis) {
  double farthest = 1;
  for (const HeadLook& head : diagnosis.heads) farthest = std::max(farthest, head.distance);
  std::string out = "<div class=\"strip\">\n";
  for (const std::string& variant : diagnosis.variants) {
    const auto heads = heads_of(diagnosis, variant);
    Grid grid = empty_grid(variant + ": mean attention distance", heads);
    for (const HeadLook* head : heads) {
      const bool thousands = head->distance >= 999.5;
      grid.squares.push_back({head->layer, head->head, head->distance / farthest,
                              thousands ? fmt::format("{:.1f}k", head->distance / 1000)
                                        : fmt::format("{:.0f}", head->distance),
                              fmt::format("layer {}, head {}: {:.1f} tokens", head->layer,
                                          head->head, head->distance)});
    }
    out += grid_figure(grid, variant, fmt::format("{:.0f} tokens", mean_distance(heads)));
  }
  return out + "</div>\n";
}

/// A dot for each part of each layer: across the layers, up the relative change.
std::string drift_chart(const Diagnosis& diagnosis) {
  constexpr double kWidth = 760, kHeight = 220, kLeft = 44, kRight = 10, kTop = 10, kBottom = 24;
  const auto layers = layers_of(diagnosis);
  double most = 0;
  for (const auto& [layer, mixer] : layers)
    for (const char* part : kParts)
      most = std::max(most, drift_at(diagnosis, layer, part).value_or(0));
  if (layers.empty() || most <= 0) return "";
  const double step = (kWidth - kLeft - kRight) / static_cast<double>(layers.size());
  const auto y_of = [&](double value) {
    return kTop + (1 - value / most) * (kHeight - kTop - kBottom);
  };
  std::string out = fmt::format(
      "<svg class=\"chart\" role=\"img\" aria-label=\"Change of the weights by layer, in percent "
      "of "
      "their norm; the numbers stand in the table below\" viewBox=\"0 0 {} {}\">\n",
      kWidth, kHeight);
  for (const double share : {0.0, 0.5, 1.0})
    out += fmt::format(
        "<path class=\"rule\" d=\"M{0} {1:.1f}H{2}\"/><text class=\"tick end\" x=\"{3}\" "
        "y=\"{4:.1f}\">{5}</text>\n",
        kLeft, y_of(share * most), kWidth - kRight, kLeft - 6, y_of(share * most) + 3.5,
        percent(share * most));
  double x = kLeft + step / 2;
  const auto every = static_cast<std::size_t>(std::ceil(24 / step));
  std::size_t place = 0;
  for (const auto& [layer, mixer] : layers) {
    const bool softmax = mixer == "softmax";
    if (softmax)
      out += fmt::format(
          "<rect class=\"softmax\" x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"/>",
          x - step / 2, kTop, step, kHeight - kTop - kBottom);
    if (place++ % every == 0)
      out += fmt::format("<text class=\"tick mid\" x=\"{:.1f}\" y=\"{}\">{}</text>\n", x,
                         kHeight - 6, layer);
    for (std::size_t i = 0; i < kParts.size(); ++i) {
      const auto drift = drift_at(diagnosis, layer, kParts[i]);
      if (!drift) continue;
      // Side by side, so that none hides another.
      const double shift = (static_cast<double>(i) - 3.5) / 10 * std::min(step, 60.0);
      out += fmt::format(
          "<g class=\"{}\"><circle class=\"mark\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>layer "
          "{} ({}), {}: {} %</title></circle></g>\n",
          series_class(i), x + shift, y_of(*drift), layer, escape_html(mixer), kParts[i],
          percent(*drift, 2));
    }
    x += step;
  }
  out += "</svg>\n<ul class=\"key\">\n";
  for (std::size_t i = 0; i < kParts.size(); ++i)
    out += fmt::format(
        "<li><svg class=\"{}\" width=\"10\" height=\"10\" aria-hidden=\"true\"><circle "
        "class=\"mark\" cx=\"5\" cy=\"5\" r=\"4\"/></svg>{}</li>\n",
        series_class(i), kParts[i]);
  return out + "</ul>\n";
}

std::string section(const char* title, const std::string& note, const std::string& content) {
  if (content.empty()) return "";
  return fmt::format("<section>\n<h2>{}</h2>\n<p class=\"note\">{}</p>\n{}</section>\n", title,
                     html_text(note), content);
}

}  // namespace

std::vector<std::string> diagnosis_in_words(const Diagnosis& diagnosis) {
  std::vector<std::string> words = {weights_in_words(diagnosis), routing_in_words(diagnosis)};
  if (!diagnosis.heads.empty()) {
    words.push_back(retrieval_in_words(diagnosis));
    words.push_back(distance_in_words(diagnosis));
  }
  std::erase(words, "");
  return words;
}

std::vector<Table> diagnosis_tables(const Diagnosis& diagnosis) {
  std::vector<Table> tables = {layer_table(diagnosis), tensor_table(diagnosis),
                               routing_table(diagnosis), attention_table(diagnosis)};
  std::erase_if(tables, [](const Table& table) { return table.rows.empty(); });
  return tables;
}

std::string diagnosis_page(const Diagnosis& diagnosis, const std::vector<std::string>& files) {
  constexpr std::string_view kStyle =
      ".softmax{fill:var(--accent);opacity:.08}.chart{max-width:860px}\n";
  const std::string title =
      fmt::format("Inside {}: what changed since {}", diagnosis.post, diagnosis.pre);
  std::string out = page_head(title, kStyle) + "<header>\n<h1>" + html_text(title) + "</h1>\n";
  if (!diagnosis.prompts.empty())
    out += "<p class=\"lead\">Attention was watched on " + html_text(diagnosis.prompts) + ".</p>\n";
  out += "</header>\n<main>\n<section class=\"answer\" aria-label=\"The answer\">\n<ul>\n";
  for (const std::string& sentence : diagnosis_in_words(diagnosis))
    out += "<li>" + html_text(sentence) + "</li>\n";
  out += "</ul>\n</section>\n";
  out += section("How far the weights moved",
                 "Each dot is one part of one layer: its change in percent of its norm. Shaded: "
                 "softmax layers, whose Q and K QK-Restore puts back.",
                 drift_chart(diagnosis) + html_fold("By layer", layer_table(diagnosis)));
  out += section("How far the routing turned",
                 "A softmax head looks where W_Q^T W_K sends it. Norms and rotary embedding that "
                 "stand between the projections and their product are not part of this.",
                 html_fold("By head", routing_table(diagnosis)));
  if (!diagnosis.heads.empty()) {
    out += section("Who looks at the needle",
                   "Attention of the prompt's final position on the needle's tokens, in percent: "
                   "each square is one softmax head. Beside a name: the mean over the retrieval "
                   "heads of the first variant.",
                   needle_grids(diagnosis) + html_fold("Numbers", attention_table(diagnosis)));
    out += section("How far heads look",
                   "Mean distance in tokens between a query near the end of the prompt and what it "
                   "attends to.",
                   distance_grids(diagnosis));
  }
  out += section("Files", "Every number of this page.", html_links(files));
  return out + "</main>\n</body>\n</html>\n";
}

bool is_diagnosis_page(std::string_view content) {
  return content.find("<title>Inside ") != content.npos &&
         content.find("How far the weights moved") != content.npos;
}

void write_diagnosis(const Diagnosis& diagnosis, const std::filesystem::path& out) {
  ensure_writable_folder(out / "diagnosis");
  std::vector<std::string> files;
  for (const Table& table : diagnosis_tables(diagnosis)) {
    files.push_back("diagnosis/" + table.name + ".csv");
    write_file(out / files.back(), csv(table));
  }
  write_file(out / kDiagnosisPage, diagnosis_page(diagnosis, files));
}

}  // namespace niah::reports
