#include "reports/diagnosis/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/diagnosis/aggregation.h"
#include "reports/format.h"

namespace niah::reports {
namespace {

std::string share_or_gap(const std::optional<double>& value) {
  return value ? percent(*value, 2) : kNone;
}

std::string plain(double value) { return fmt::format("{:.6g}", value); }

}  // namespace

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

std::vector<Table> diagnosis_tables(const Diagnosis& diagnosis) {
  std::vector<Table> tables = {layer_table(diagnosis), tensor_table(diagnosis),
                               routing_table(diagnosis), attention_table(diagnosis)};
  std::erase_if(tables, [](const Table& table) { return table.rows.empty(); });
  return tables;
}

}  // namespace niah::reports
