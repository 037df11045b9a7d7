#include "identity/issuer_pages.h"

namespace sallyport::identity {
namespace {

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;margin:0;display:grid;place-items:center;min-height:100vh}
main{width:min(22rem,90vw);padding:2rem 0}
h1{font-size:1.4rem;margin:0 0 .5rem}
label{display:block;margin:1rem 0 .25rem;font-weight:600}
input{font:inherit;width:100%;box-sizing:border-box;padding:.6rem;border:1px solid #767676;border-radius:.4rem}
button{font:inherit;font-weight:600;width:100%;margin-top:1.5rem;padding:.7rem;border:0;border-radius:.4rem;background:#1d4ed8;color:#fff}
input:focus-visible,button:focus-visible{outline:3px solid #f59e0b;outline-offset:2px}
.problem{border-left:.3rem solid #b91c1c;padding:.5rem .8rem;background:#b91c1c1a}
)";

http::Response page(std::string_view title, std::string_view body, int status,
                    std::string_view nonce, std::string_view leads_to) {
  std::string html =
      R"(<!doctype html><html lang="en"><head><meta charset="utf-8">)"
      R"(<meta name="viewport" content="width=device-width,initial-scale=1"><title>)" +
      escape_html(title) + R"( - Sallyport</title><style nonce=")" + std::string(nonce) + "\">" +
      std::string(kStyle) + "</style></head><body><main>" + std::string(body) +
      "</main></body></html>";
  auto response = http::Response::html(status, std::move(html));
  std::string actions = "'self'";
  if (!leads_to.empty()) actions += " " + std::string(leads_to);
  response.headers.add("Content-Security-Policy", "default-src 'none'; style-src 'nonce-" +
                                                      std::string(nonce) + "'; form-action " +
                                                      actions +
                                                      "; frame-ancestors 'none'; base-uri 'none'");
  response.headers.add("Cache-Control", "no-store");
  response.headers.add("Referrer-Policy", "no-referrer");
  response.headers.add("X-Content-Type-Options", "nosniff");
  return response;
}

std::string input(std::string_view id, std::string_view label, std::string_view attributes) {
  return R"(<label for=")" + std::string(id) + "\">" + std::string(label) +
         R"(</label><input id=")" + std::string(id) + R"(" name=")" + std::string(id) +
         R"(" required )" + std::string(attributes) + ">";
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

http::Response render(const LoginPage& login, int status, std::string_view nonce) {
  std::string body =
      "<h1>" + escape_html(login.title) + "</h1><p>" + escape_html(login.intro) + "</p>";
  if (!login.problem.empty()) {
    body += R"(<p class="problem" role="alert">)" + escape_html(login.problem) + "</p>";
  }
  body += R"(<form method="post" action=")" + escape_html(login.action) + "\">";
  for (const auto& [name, value] : login.hidden) {
    body += R"(<input type="hidden" name=")" + escape_html(name) + R"(" value=")" +
            escape_html(value) + "\">";
  }
  if (login.asks_user_code) {
    body += input("user_code", "Code shown by the device",
                  R"(autocomplete="off" autocapitalize="characters" spellcheck="false" value=")" +
                      escape_html(login.user_code) + "\"");
  }
  body += input("username", "User name",
                R"(autocomplete="username" autocapitalize="none" spellcheck="false")");
  body += input("password", "Password", R"(type="password" autocomplete="current-password")");
  body += "<button>" + escape_html(login.button) + "</button></form>";
  return page(login.title, body, status, nonce, login.leads_to);
}

http::Response render_message(std::string_view title, std::string_view text, int status,
                              std::string_view nonce) {
  return page(title,
              "<h1>" + escape_html(title) + "</h1><p role=\"status\">" + escape_html(text) + "</p>",
              status, nonce, "");
}

}  // namespace sallyport::identity
