// An n-gram model of a made-up text, in the memory that a Mixture reads.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "../mixture.h"

struct MadeUpMixture {
  std::vector<std::vector<int32_t>> starts, symbols, counts;
  std::shared_ptr<const rnnlab::Mixture> mixture;

  // The k-grams, up to `order`, of a text of `length` tokens below V.
  MadeUpMixture(const int64_t* text, int64_t length, int64_t V, int64_t order) {
    std::map<std::vector<int64_t>, int32_t> number{{{}, 0}};
    for (int64_t k = 1; k <= order && k <= length; ++k) {
      std::map<std::vector<int64_t>, int32_t> found;  // in the order of contexts and symbols
      for (int64_t i = 0; i + k <= length; ++i) {
        const std::vector<int64_t> context(text + i, text + i + k - 1);
        ++found[{number.at(context), text[i + k - 1]}];
      }
      starts.emplace_back(number.size() + 1);
      symbols.emplace_back();
      counts.emplace_back();
      for (const auto& [key, count] : found) {
        symbols.back().push_back(static_cast<int32_t>(key[1]));
        counts.back().push_back(count);
        ++starts.back()[key[0] + 1];
      }
      for (size_t r = 1; r < starts.back().size(); ++r) starts.back()[r] += starts.back()[r - 1];
      std::map<std::vector<int64_t>, int32_t> next;
      for (int64_t i = 0; i + k <= length; ++i) {
        const std::vector<int64_t> context(text + i, text + i + k - 1);
        const auto at = found.find({number.at(context), text[i + k - 1]});
        next[{text + i, text + i + k}] =
            static_cast<int32_t>(std::distance(found.begin(), at));
      }
      number = next;
    }
    std::vector<rnnlab::Successors> orders;
    for (size_t k = 0; k < starts.size(); ++k)
      orders.push_back(
          {starts[k].data(), symbols[k].data(), counts[k].data(), {0, 0.5, 1, 1.5}});
    const double gate[] = {0.6, 0.7, 0.05, -0.08};
    mixture = std::make_shared<rnnlab::Mixture>(std::move(orders), V, gate);
  }
};
