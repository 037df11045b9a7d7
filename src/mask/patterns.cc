#include "mask/patterns.h"

#include <hs/hs.h>

#include <array>
#include <string>
#include <utility>

namespace sallyport::mask {
namespace {

using enum Detector;

constexpr Secret of(Detector detector, std::string_view literal, std::string_view characters,
                    std::uint16_t min, std::uint16_t max) {
  return {detector, literal, Follow::characters, characters, min, max, false};
}
constexpr Secret special(Detector detector, std::string_view literal, Follow follow) {
  return {.detector = detector, .literal = literal, .follow = follow};
}
constexpr Secret word(Detector detector, std::string_view literal, Follow follow) {
  return {.detector = detector, .literal = literal, .follow = follow, .any_case = true};
}

constexpr auto secret_table = std::to_array<Secret>({
    special(private_key, "-----BEGIN ", Follow::private_key),
    special(jwt, "eyJ", Follow::jwt),
    word(password, "password", Follow::assignment),
    word(password, "passwd", Follow::assignment),
    word(password, "passphrase", Follow::assignment),
    word(password, "passwort", Follow::assignment),
    word(password, "pwd", Follow::assignment),
    word(password, "secret", Follow::assignment),
    word(password, "api_key", Follow::assignment),
    word(password, "apikey", Follow::assignment),
    word(password, "api-key", Follow::assignment),
    word(password, "access_token", Follow::assignment),
    word(password, "auth_token", Follow::assignment),
    word(password, "client_secret", Follow::assignment),
    word(basic_auth, "basic ", Follow::basic),
    {bearer_token, "bearer ", Follow::characters, ".", 20, 4096, true},
    of(aws_access_key, "AKIA", "U", 16, 16),
    of(aws_access_key, "ASIA", "U", 16, 16),
    of(aws_access_key, "ABIA", "U", 16, 16),
    of(aws_access_key, "ACCA", "U", 16, 16),
    word(aws_secret_key, "aws_secret_access_key", Follow::aws_secret),
    word(aws_secret_key, "aws_secret_key", Follow::aws_secret),
    word(aws_secret_key, "secretaccesskey", Follow::aws_secret),
    of(gcp_api_key, "AIza", "-", 35, 35),
    of(google_oauth, "ya29.", "-", 20, 2048),
    of(google_oauth, "GOCSPX-", "-", 28, 28),
    special(azure_storage_key, "AccountKey=", Follow::azure_key),
    special(azure_storage_key, "SharedAccessKey=", Follow::azure_key),
    special(azure_client_secret, "8Q~", Follow::azure_secret),
    special(azure_client_secret, "7Q~", Follow::azure_secret),
    special(azure_sas, "&sig=", Follow::sas),
    special(azure_sas, "?sig=", Follow::sas),
    of(github_token, "ghp_", "w", 36, 255),
    of(github_token, "gho_", "w", 36, 255),
    of(github_token, "ghu_", "w", 36, 255),
    of(github_token, "ghs_", "w", 36, 255),
    of(github_token, "ghr_", "w", 36, 255),
    of(github_token, "github_pat_", "-", 82, 255),
    of(gitlab_token, "glpat-", "-", 20, 64),
    of(gitlab_token, "glptt-", "-", 40, 64),
    of(gitlab_token, "gldt-", "-", 20, 64),
    of(gitlab_token, "glrt-", "-", 20, 64),
    of(gitlab_token, "glcbt-", "-", 20, 64),
    of(bitbucket_token, "ATBB", "w", 32, 32),
    of(bitbucket_token, "ATCTT3xFfG", ".", 80, 255),
    of(slack_token, "xoxb-", "-", 20, 255),
    of(slack_token, "xoxp-", "-", 20, 255),
    of(slack_token, "xoxa-", "-", 20, 255),
    of(slack_token, "xoxr-", "-", 20, 255),
    of(slack_token, "xoxs-", "-", 20, 255),
    of(slack_token, "xapp-", "-", 20, 255),
    special(slack_webhook, "hooks.slack.com/services/", Follow::slack_hook),
    special(discord_webhook, "discord.com/api/webhooks/", Follow::discord_hook),
    special(discord_webhook, "discordapp.com/api/webhooks/", Follow::discord_hook),
    of(stripe_key, "sk_live_", "w", 16, 255),
    of(stripe_key, "sk_test_", "w", 16, 255),
    of(stripe_key, "rk_live_", "w", 16, 255),
    of(stripe_key, "rk_test_", "w", 16, 255),
    of(stripe_key, "whsec_", "b", 32, 64),
    of(square_token, "sq0atp-", "-", 22, 22),
    of(square_token, "sq0csp-", "-", 43, 43),
    of(square_token, "EAAA", "-", 60, 60),
    of(paypal_token, "access_token$production$", "$", 40, 80),
    of(shopify_token, "shpat_", "h", 32, 32),
    of(shopify_token, "shpca_", "h", 32, 32),
    of(shopify_token, "shppa_", "h", 32, 32),
    of(shopify_token, "shpss_", "h", 32, 32),
    of(npm_token, "npm_", "w", 36, 36),
    of(pypi_token, "pypi-AgEIcHlwaS5vcmc", "-", 50, 512),
    of(rubygems_token, "rubygems_", "h", 48, 48),
    of(docker_token, "dckr_pat_", "-", 27, 64),
    of(openai_key, "sk-proj-", "-", 40, 255),
    of(openai_key, "sk-svcacct-", "-", 40, 255),
    of(openai_key, "sk-", "w", 48, 48),
    of(anthropic_key, "sk-ant-", "-", 80, 255),
    of(huggingface_token, "hf_", "w", 34, 40),
    special(sendgrid_key, "SG.", Follow::sendgrid),
    of(mailgun_key, "key-", "h", 32, 32),
    special(mailchimp_key, "-us", Follow::mailchimp),
    of(twilio_key, "SK", "h", 32, 32),
    of(twilio_key, "AC", "h", 32, 32),
    of(digitalocean_token, "dop_v1_", "h", 64, 64),
    of(digitalocean_token, "doo_v1_", "h", 64, 64),
    of(digitalocean_token, "dor_v1_", "h", 64, 64),
    of(databricks_token, "dapi", "h", 32, 32),
    of(hashicorp_token, "hvs.", "-", 24, 255),
    of(hashicorp_token, "hvb.", "-", 24, 255),
    of(hashicorp_token, ".atlasv1.", "-", 60, 80),
    of(grafana_token, "glsa_", "-", 41, 41),
    of(grafana_token, "glc_", "b", 32, 400),
    of(newrelic_key, "NRAK-", "U", 27, 27),
    of(newrelic_key, "NRJS-", "h", 19, 19),
    of(atlassian_token, "ATATT3xFfGF0", ".", 100, 400),
    of(linear_key, "lin_api_", "w", 40, 40),
    of(age_key, "AGE-SECRET-KEY-1", "U", 58, 58),
});

constexpr auto topic_table = std::to_array<TopicWord>({
    {Topic::ssn, "ssn"},
    {Topic::ssn, "social security"},
    {Topic::ssn, "social_security"},
    {Topic::ssn, "socialsecurity"},
    {Topic::ssn, "soc sec"},
    {Topic::itin, "itin"},
    {Topic::itin, "taxpayer identification"},
    {Topic::ein, "ein"},
    {Topic::ein, "fein"},
    {Topic::ein, "employer identification"},
    {Topic::ein, "employer id"},
    {Topic::npi, "npi"},
    {Topic::npi, "national provider"},
    {Topic::dea, "dea"},
    {Topic::medicare, "medicare"},
    {Topic::medicare, "mbi"},
    {Topic::passport, "passport"},
    {Topic::passport, "passeport"},
    {Topic::passport, "reisepass"},
    {Topic::passport, "pasaporte"},
    {Topic::passport, "passaporto"},
    {Topic::passport, "paspoort"},
    {Topic::passport, "passnummer"},
    {Topic::license, "driver license"},
    {Topic::license, "drivers license"},
    {Topic::license, "driver's license"},
    {Topic::license, "driver_license"},
    {Topic::license, "drivers_license"},
    {Topic::license, "driving licence"},
    {Topic::license, "driving_licence"},
    {Topic::license, "driver's licence"},
    {Topic::license, "driver licence"},
    {Topic::license, "license number"},
    {Topic::license, "licence number"},
    {Topic::license, "license_number"},
    {Topic::license, "driverlicense"},
    {Topic::license, "driverslicense"},
    {Topic::license, "driving license"},
    {Topic::license, "führerschein"},
    {Topic::license, "permis de conduire"},
    {Topic::birth, "dob"},
    {Topic::birth, "d.o.b"},
    {Topic::birth, "birth"},
    {Topic::birth, "born"},
    {Topic::birth, "bday"},
    {Topic::birth, "birthday"},
    {Topic::birth, "birthdate"},
    {Topic::birth, "birth_date"},
    {Topic::birth, "dateofbirth"},
    {Topic::birth, "geburtsdatum"},
    {Topic::birth, "geboren"},
    {Topic::birth, "geburtstag"},
    {Topic::birth, "naissance"},
    {Topic::birth, "né le"},
    {Topic::birth, "née le"},
    {Topic::birth, "nacimiento"},
    {Topic::birth, "nascita"},
    {Topic::birth, "nascimento"},
    {Topic::birth, "geboortedatum"},
    {Topic::birth, "födelsedatum"},
    {Topic::phone, "answering"},
    {Topic::phone, "reach"},
    {Topic::phone, "messages to"},
    {Topic::phone, "sms"},
    {Topic::phone, "text me"},
    {Topic::phone, "office"},
    {Topic::phone, "dial"},
    {Topic::card, "card"},
    {Topic::card, "credit"},
    {Topic::card, "cc"},
    {Topic::card, "visa"},
    {Topic::card, "mastercard"},
    {Topic::card, "maestro"},
    {Topic::card, "amex"},
    {Topic::card, "creditcard"},
    {Topic::card, "karte"},
    {Topic::card, "kreditkarte"},
    {Topic::card, "carte"},
    {Topic::card, "tarjeta"},
    {Topic::card, "carta"},
    {Topic::phone, "phone"},
    {Topic::phone, "telephone"},
    {Topic::phone, "tel"},
    {Topic::phone, "mobile"},
    {Topic::phone, "cell"},
    {Topic::phone, "fax"},
    {Topic::phone, "telefon"},
    {Topic::phone, "téléphone"},
    {Topic::phone, "teléfono"},
    {Topic::phone, "telefono"},
    {Topic::phone, "handy"},
    {Topic::phone, "whatsapp"},
    {Topic::phone, "portable"},
    {Topic::phone, "call"},
    {Topic::phone, "msisdn"},
    {Topic::phone, "phonenumber"},
    {Topic::phone, "rufnummer"},
    {Topic::bic, "bic"},
    {Topic::bic, "swift"},
    {Topic::bic, "bic/swift"},
    {Topic::routing, "routing"},
    {Topic::routing, "aba"},
    {Topic::routing, "rtn"},
    {Topic::routing, "transit number"},
    {Topic::imei, "imei"},
    {Topic::vin, "vin"},
    {Topic::vin, "vehicle"},
    {Topic::vin, "chassis"},
    {Topic::nhs, "nhs"},
    {Topic::tax, "tax id"},
    {Topic::tax, "tax number"},
    {Topic::tax, "tax file"},
    {Topic::tax, "tax_id"},
    {Topic::tax, "taxid"},
    {Topic::tax, "tax_number"},
    {Topic::tax, "tax no"},
    {Topic::tax, "tin"},
    {Topic::tax, "tfn"},
    {Topic::tax, "nif"},
    {Topic::tax, "vat"},
    {Topic::tax, "steuer"},
    {Topic::tax, "steuernummer"},
    {Topic::tax, "steuer-id"},
    {Topic::tax, "steuerid"},
    {Topic::tax, "steueridentifikationsnummer"},
    {Topic::tax, "idnr"},
    {Topic::tax, "contribuinte"},
    {Topic::tax, "cpf"},
    {Topic::tax, "cnpj"},
    {Topic::tax, "pan card"},
    {Topic::tax, "pan number"},
    {Topic::tax, "pan"},
    {Topic::tax, "fiscal"},
    {Topic::national, "national id"},
    {Topic::national, "national_id"},
    {Topic::national, "nationalid"},
    {Topic::national, "national number"},
    {Topic::national, "national insurance"},
    {Topic::national, "identity number"},
    {Topic::national, "id number"},
    {Topic::national, "id card"},
    {Topic::national, "id no"},
    {Topic::national, "identity card"},
    {Topic::national, "identity_number"},
    {Topic::national, "id_number"},
    {Topic::national, "personal number"},
    {Topic::national, "personal id"},
    {Topic::national, "personal_id"},
    {Topic::national, "personalausweis"},
    {Topic::national, "pesel"},
    {Topic::national, "bsn"},
    {Topic::national, "burgerservicenummer"},
    {Topic::national, "personnummer"},
    {Topic::national, "cpr"},
    {Topic::national, "kimlik"},
    {Topic::national, "tckn"},
    {Topic::national, "aadhaar"},
    {Topic::national, "aadhar"},
    {Topic::national, "uidai"},
    {Topic::national, "my number"},
    {Topic::national, "mynumber"},
    {Topic::national, "my_number"},
    {Topic::national, "individual number"},
    {Topic::national, "sin"},
    {Topic::national, "social insurance"},
    {Topic::national, "rijksregisternummer"},
    {Topic::national, "ahv"},
    {Topic::national, "avs"},
    {Topic::national, "fødselsnummer"},
    {Topic::national, "fodselsnummer"},
    {Topic::national, "rrn"},
    {Topic::national, "nric"},
    {Topic::national, "dni"},
    {Topic::national, "nie"},
    {Topic::national, "resident id"},
    {Topic::national, "resident registration"},
    {Topic::national, "curp"},
    {Topic::national, "henkilötunnus"},
    {Topic::national, "hetu"},
    {Topic::national, "government id"},
    {Topic::national, "citizen id"},
    {Topic::aws, "aws"},
    {Topic::aws, "secret access key"},
});

Result<hs_database*> compile(const std::vector<const char*>& literals,
                             const std::vector<unsigned>& flags,
                             const std::vector<std::size_t>& sizes) {
  std::vector<unsigned> ids(literals.size());
  for (unsigned i = 0; i < ids.size(); ++i) ids[i] = i;
  hs_database* database = nullptr;
  hs_compile_error_t* problem = nullptr;
  if (hs_compile_lit_multi(literals.data(), flags.data(), ids.data(), sizes.data(),
                           static_cast<unsigned>(literals.size()), HS_MODE_BLOCK, nullptr,
                           &database, &problem) != HS_SUCCESS) {
    std::string detail = "vectorscan: " + std::string(problem->message);
    hs_free_compile_error(problem);
    return fail(Errc::unavailable, std::move(detail));
  }
  return database;
}

struct Collect {
  std::vector<Match>& matches;
  std::size_t most;
  bool full = false;
};

int on_match(unsigned id, unsigned long long, unsigned long long end, unsigned, void* context) {
  auto& collect = *static_cast<Collect*>(context);
  if (collect.matches.size() == collect.most) {
    collect.full = true;
    return 1;
  }
  collect.matches.push_back({static_cast<std::uint16_t>(id), static_cast<std::uint32_t>(end)});
  return 0;
}

}  // namespace

std::span<const Secret> secrets() {
  return secret_table;
}
std::span<const TopicWord> topic_words() {
  return topic_table;
}

Result<std::shared_ptr<const Patterns>> Patterns::make() {
  const std::shared_ptr<Patterns> patterns(new Patterns());
  const auto compiled = [](const auto& table, auto text_of, auto flag_of) {
    std::vector<const char*> literals;
    std::vector<unsigned> flags;
    std::vector<std::size_t> sizes;
    for (const auto& entry : table) {
      literals.push_back(text_of(entry).data());
      sizes.push_back(text_of(entry).size());
      flags.push_back(flag_of(entry));
    }
    return compile(literals, flags, sizes);
  };
  auto of_secrets = compiled(
      secret_table, [](const Secret& secret) { return secret.literal; },
      [](const Secret& secret) { return secret.any_case ? HS_FLAG_CASELESS : 0u; });
  if (!of_secrets) return fail(of_secrets);
  patterns->secrets_ = *of_secrets;
  auto of_topics = compiled(
      topic_table, [](const TopicWord& topic) { return topic.word; },
      [](const TopicWord&) { return unsigned{HS_FLAG_CASELESS}; });
  if (!of_topics) return fail(of_topics);
  patterns->topics_ = *of_topics;
  return patterns;
}

Patterns::~Patterns() {
  hs_free_database(secrets_);
  hs_free_database(topics_);
}

Result<Matcher> Matcher::make(std::shared_ptr<const Patterns> patterns) {
  Matcher matcher(std::move(patterns));
  for (const hs_database* database : {matcher.patterns_->secrets_, matcher.patterns_->topics_}) {
    if (hs_alloc_scratch(database, &matcher.scratch_) != HS_SUCCESS) {
      return fail(Errc::unavailable, "vectorscan: no scratch memory");
    }
  }
  return matcher;
}

Matcher::~Matcher() {
  hs_free_scratch(scratch_);
}

Matcher::Matcher(Matcher&& other) noexcept
    : patterns_(std::move(other.patterns_)), scratch_(std::exchange(other.scratch_, nullptr)) {}

Result<void> Matcher::secrets(std::string_view text, std::size_t most,
                              std::vector<Match>& matches) {
  return scan(patterns_->secrets_, text, most, matches);
}

Result<void> Matcher::topics(std::string_view text, std::size_t most, std::vector<Match>& matches) {
  return scan(patterns_->topics_, text, most, matches);
}

Result<void> Matcher::scan(const hs_database* database, std::string_view text, std::size_t most,
                           std::vector<Match>& matches) {
  Collect collect{matches, most};
  const hs_error_t result = hs_scan(database, text.data(), static_cast<unsigned>(text.size()), 0,
                                    scratch_, on_match, &collect);
  if (collect.full) {
    return fail(Errc::too_large, "more than " + std::to_string(most) + " candidates in a text");
  }
  if (result != HS_SUCCESS) {
    return fail(Errc::unavailable, "vectorscan: error " + std::to_string(result));
  }
  return ok();
}

}  // namespace sallyport::mask
