#include "mask/detector.h"

namespace sallyport::mask {

const std::array<DetectorInfo, detector_count>& detectors() {
  using enum Detector;
  static constexpr std::array<DetectorInfo, detector_count> table{{
      {email, "email", "pii.email", Shape::email},
      {phone, "phone", "pii.phone", Shape::phone},
      {date_of_birth, "date_of_birth", "pii.birth_date", {}},
      {passport, "passport", "pii.passport", {}},
      {drivers_license, "drivers_license", "pii.drivers_license", {}},
      {ipv4, "ipv4", "pii.ip_address", {}},
      {ipv6, "ipv6", "pii.ip_address", {}},
      {mac_address, "mac_address", "pii.device", {}},
      {imei, "imei", "pii.device", {}},
      {vin, "vin", "pii.vehicle", {}},
      {card, "card", "pci.card", Shape::card},
      {iban, "iban", "pii.iban", Shape::iban},
      {bic, "bic", "finance.bic", {}},
      {aba_routing, "aba_routing", "finance.routing", {}},
      {bitcoin_address, "bitcoin_address", "finance.wallet", {}},
      {ethereum_address, "ethereum_address", "finance.wallet", {}},
      {us_ssn, "us_ssn", "pii.ssn", {}},
      {us_itin, "us_itin", "pii.tax_id", {}},
      {us_ein, "us_ein", "pii.tax_id", {}},
      {us_npi, "us_npi", "phi.provider", {}},
      {us_medicare, "us_medicare", "phi.insurance", {}},
      {us_dea, "us_dea", "phi.provider", {}},
      {ca_sin, "ca_sin", "pii.national_id", {}},
      {mx_curp, "mx_curp", "pii.national_id", {}},
      {br_cpf, "br_cpf", "pii.national_id", {}},
      {br_cnpj, "br_cnpj", "pii.tax_id", {}},
      {uk_nino, "uk_nino", "pii.national_id", {}},
      {uk_nhs, "uk_nhs", "phi.patient", {}},
      {de_tax_id, "de_tax_id", "pii.tax_id", {}},
      {fr_nir, "fr_nir", "pii.national_id", {}},
      {es_nif, "es_nif", "pii.national_id", {}},
      {it_fiscal_code, "it_fiscal_code", "pii.tax_id", {}},
      {pt_nif, "pt_nif", "pii.tax_id", {}},
      {nl_bsn, "nl_bsn", "pii.national_id", {}},
      {be_national, "be_national", "pii.national_id", {}},
      {ch_ahv, "ch_ahv", "pii.national_id", {}},
      {pl_pesel, "pl_pesel", "pii.national_id", {}},
      {se_personnummer, "se_personnummer", "pii.national_id", {}},
      {no_fodselsnummer, "no_fodselsnummer", "pii.national_id", {}},
      {dk_cpr, "dk_cpr", "pii.national_id", {}},
      {fi_hetu, "fi_hetu", "pii.national_id", {}},
      {tr_kimlik, "tr_kimlik", "pii.national_id", {}},
      {za_id, "za_id", "pii.national_id", {}},
      {in_aadhaar, "in_aadhaar", "pii.national_id", {}},
      {in_pan, "in_pan", "pii.tax_id", {}},
      {cn_resident_id, "cn_resident_id", "pii.national_id", {}},
      {kr_rrn, "kr_rrn", "pii.national_id", {}},
      {jp_my_number, "jp_my_number", "pii.national_id", {}},
      {sg_nric, "sg_nric", "pii.national_id", {}},
      {au_tfn, "au_tfn", "pii.tax_id", {}},
      {au_medicare, "au_medicare", "phi.insurance", {}},
      {private_key, "private_key", "secret.key", {}},
      {jwt, "jwt", "secret.token", {}},
      {password_in_url, "password_in_url", "secret.password", {}},
      {password, "password", "secret.password", {}},
      {basic_auth, "basic_auth", "secret.password", {}},
      {bearer_token, "bearer_token", "secret.token", {}},
      {aws_access_key, "aws_access_key", "secret.token", {}},
      {aws_secret_key, "aws_secret_key", "secret.token", {}},
      {gcp_api_key, "gcp_api_key", "secret.token", {}},
      {google_oauth, "google_oauth", "secret.token", {}},
      {azure_storage_key, "azure_storage_key", "secret.token", {}},
      {azure_client_secret, "azure_client_secret", "secret.token", {}},
      {azure_sas, "azure_sas", "secret.token", {}},
      {github_token, "github_token", "secret.token", {}},
      {gitlab_token, "gitlab_token", "secret.token", {}},
      {bitbucket_token, "bitbucket_token", "secret.token", {}},
      {slack_token, "slack_token", "secret.token", {}},
      {slack_webhook, "slack_webhook", "secret.token", {}},
      {discord_webhook, "discord_webhook", "secret.token", {}},
      {telegram_token, "telegram_token", "secret.token", {}},
      {stripe_key, "stripe_key", "secret.token", {}},
      {square_token, "square_token", "secret.token", {}},
      {paypal_token, "paypal_token", "secret.token", {}},
      {shopify_token, "shopify_token", "secret.token", {}},
      {npm_token, "npm_token", "secret.token", {}},
      {pypi_token, "pypi_token", "secret.token", {}},
      {rubygems_token, "rubygems_token", "secret.token", {}},
      {docker_token, "docker_token", "secret.token", {}},
      {openai_key, "openai_key", "secret.token", {}},
      {anthropic_key, "anthropic_key", "secret.token", {}},
      {huggingface_token, "huggingface_token", "secret.token", {}},
      {sendgrid_key, "sendgrid_key", "secret.token", {}},
      {mailgun_key, "mailgun_key", "secret.token", {}},
      {mailchimp_key, "mailchimp_key", "secret.token", {}},
      {twilio_key, "twilio_key", "secret.token", {}},
      {digitalocean_token, "digitalocean_token", "secret.token", {}},
      {databricks_token, "databricks_token", "secret.token", {}},
      {hashicorp_token, "hashicorp_token", "secret.token", {}},
      {grafana_token, "grafana_token", "secret.token", {}},
      {newrelic_key, "newrelic_key", "secret.token", {}},
      {atlassian_token, "atlassian_token", "secret.token", {}},
      {linear_key, "linear_key", "secret.token", {}},
      {age_key, "age_key", "secret.key", {}},
  }};
  static_assert([] {
    for (std::size_t i = 0; i < table.size(); ++i) {
      if (static_cast<std::size_t>(table[i].detector) != i) return false;
    }
    return true;
  }());
  return table;
}

std::optional<Detector> detector_of(std::string_view name) {
  for (const DetectorInfo& known : detectors()) {
    if (known.name == name) return known.detector;
  }
  return std::nullopt;
}

}  // namespace sallyport::mask
