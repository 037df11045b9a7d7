#pragma once
// What the detectors look for: personal data and secrets that a text can carry wherever it comes
// from. detectors.h finds them; what is done with them is the caller's.

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "mask/mask.h"

namespace sallyport::mask {

enum class Detector : std::uint8_t {
  // Of people
  email,
  phone,
  date_of_birth,
  passport,
  drivers_license,
  ipv4,
  ipv6,
  mac_address,
  imei,
  vin,
  // Of money
  card,
  iban,
  bic,
  aba_routing,
  bitcoin_address,
  ethereum_address,
  // National numbers
  us_ssn,
  us_itin,
  us_ein,
  us_npi,
  us_medicare,
  us_dea,
  ca_sin,
  mx_curp,
  br_cpf,
  br_cnpj,
  uk_nino,
  uk_nhs,
  de_tax_id,
  fr_nir,
  es_nif,
  it_fiscal_code,
  pt_nif,
  nl_bsn,
  be_national,
  ch_ahv,
  pl_pesel,
  se_personnummer,
  no_fodselsnummer,
  dk_cpr,
  fi_hetu,
  tr_kimlik,
  za_id,
  in_aadhaar,
  in_pan,
  cn_resident_id,
  kr_rrn,
  jp_my_number,
  sg_nric,
  au_tfn,
  au_medicare,
  // Secrets
  private_key,
  jwt,
  password_in_url,
  password,
  basic_auth,
  bearer_token,
  aws_access_key,
  aws_secret_key,
  gcp_api_key,
  google_oauth,
  azure_storage_key,
  azure_client_secret,
  azure_sas,
  github_token,
  gitlab_token,
  bitbucket_token,
  slack_token,
  slack_webhook,
  discord_webhook,
  telegram_token,
  stripe_key,
  square_token,
  paypal_token,
  shopify_token,
  npm_token,
  pypi_token,
  rubygems_token,
  docker_token,
  openai_key,
  anthropic_key,
  huggingface_token,
  sendgrid_key,
  mailgun_key,
  mailchimp_key,
  twilio_key,
  digitalocean_token,
  databricks_token,
  hashicorp_token,
  grafana_token,
  newrelic_key,
  atlassian_token,
  linear_key,
  age_key,
};
inline constexpr std::size_t detector_count = static_cast<std::size_t>(Detector::age_key) + 1;

struct DetectorInfo {
  Detector detector;
  std::string_view name;            // "us_ssn": in configuration, ledger and metrics
  std::string_view classification;  // "pii.ssn": for a column that holds them
  std::optional<Shape> shape;       // what a mask leaves of it; nullopt: nothing
};

/// All, in the order of the enumeration.
const std::array<DetectorInfo, detector_count>& detectors();
inline const DetectorInfo& info(Detector detector) {
  return detectors()[static_cast<std::size_t>(detector)];
}
std::optional<Detector> detector_of(std::string_view name);

using DetectorSet = std::bitset<detector_count>;

}  // namespace sallyport::mask
