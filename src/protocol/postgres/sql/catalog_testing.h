#pragma once
// CatalogTest: a parser, and a catalog whose contents the test makes up.

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "protocol/postgres/catalog/catalog.h"
#include "protocol/postgres/sql/parser.h"

namespace sallyport::postgres::sql {

class CatalogTest : public testing::Test {
 protected:
  explicit CatalogTest(catalog::Contents contents)
      : parser_(*Parser::make()), contents_(std::move(contents)) {}
  void SetUp() override { make(contents_); }
  void make(catalog::Contents all) {
    auto made = catalog::Catalog::make(std::move(all), 1);
    ASSERT_TRUE(made) << made.error().detail;
    catalog_ = *made;
  }

  std::unique_ptr<Parser> parser_;
  std::shared_ptr<const catalog::Catalog> catalog_;

 private:
  catalog::Contents contents_;
};

}  // namespace sallyport::postgres::sql
