#pragma once
// `sallyport ledger verify|head|export|prove`.

namespace CLI {
class App;
}

namespace sallyport::cli {

void add_ledger(CLI::App& app);

}  // namespace sallyport::cli
