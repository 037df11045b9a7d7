#pragma once
// Check digits. All take digits only (or letters where that is said), of the length that the number
// has; the caller has looked at the shape. Nothing here looks at context.

#include <string_view>

namespace sallyport::mask::checksum {

/// ISO/IEC 7812: cards, IMEI and many more.
bool luhn(std::string_view digits);
/// 13 to 19 digits that begin as a card of a known brand does and have its length.
bool card_brand(std::string_view digits);
/// ISO 13616, without spaces, upper or lower case: the country's length and mod 97.
bool iban(std::string_view text);
/// A length that some country's IBAN has; 0: there is no such country.
unsigned iban_length(std::string_view country);
/// ISO 7064 mod 11,10: German tax numbers.
bool mod_11_10(std::string_view digits);
bool verhoeff(std::string_view digits);
/// The sum of digits times weights is a multiple of `modulus`.
bool weighted(std::string_view digits, std::string_view weights, unsigned modulus);
bool ean13(std::string_view digits);

bool valid_date(unsigned year, unsigned month, unsigned day);
unsigned number(std::string_view digits);  // at most 9 of them

bool us_ssn(std::string_view nine_digits);
bool br_cpf(std::string_view digits);
bool br_cnpj(std::string_view digits);
bool de_tax_id(std::string_view digits);
bool fr_nir(std::string_view digits);
bool es_nif(std::string_view text);  // DNI or NIE, upper case
bool it_fiscal_code(std::string_view text);
bool pt_nif(std::string_view digits);
bool nl_bsn(std::string_view digits);
bool be_national(std::string_view digits);
bool pl_pesel(std::string_view digits);
bool se_personnummer(std::string_view ten_digits);
bool no_fodselsnummer(std::string_view digits);
/// "131052-308T"
bool fi_hetu(std::string_view text);
bool tr_kimlik(std::string_view digits);
bool za_id(std::string_view digits);
bool cn_resident_id(std::string_view text);
bool kr_rrn(std::string_view digits);
bool jp_my_number(std::string_view digits);
bool sg_nric(std::string_view text);
bool mx_curp(std::string_view text);
bool uk_nhs(std::string_view digits);
bool us_npi(std::string_view digits);
bool us_dea(std::string_view text);
bool au_tfn(std::string_view digits);
bool au_medicare(std::string_view digits);
bool aba_routing(std::string_view digits);
bool vin(std::string_view text);  // upper case
/// Base58Check of version 0 or 5, or bech32(m) with the prefix bc.
bool bitcoin_address(std::string_view text);
/// "0x" and 40 hex digits; where their case is mixed it must be the checksum of EIP-55.
bool ethereum_address(std::string_view text);

}  // namespace sallyport::mask::checksum
