//! The account holder: who the agreement is with, read from a form and checked field by field.

use super::words::{self, Fields};
use husorden_base::{Refusal, Text};
use husorden_wire::api::{Holder, HolderKind};

/// The holder as it is kept; `pointer` is where it stands in the form.
pub(crate) fn read(form: &Holder, pointer: &str) -> Result<Holder, Refusal> {
    let mut fields = Fields::default();
    let at = |name: &str| format!("{pointer}/{name}");
    let name = fields.take(&at("name"), words::name(&form.name));
    let address = fields.take(&at("address"), words::address(&form.address));
    let country = fields.take(&at("country"), words::country(&form.country));
    let email = fields.take(&at("email"), words::email(&form.email));
    let phone = form.phone.as_deref().map(|phone| fields.take(&at("phone"), words::phone(phone)));
    let danish = country.as_deref() == Some("DK");
    let cvr = match (form.kind, form.cvr.as_deref()) {
        (HolderKind::Company, Some(cvr)) if danish => fields.take(&at("cvr"), words::cvr(cvr)),
        (HolderKind::Company, None) if danish => {
            fields
                .wrong(&at("cvr"), Text::new("Et dansk firma har et CVR-nummer", "A Danish company has a CVR number"));
            None
        }
        (_, Some(_)) => {
            fields.wrong(
                &at("cvr"),
                Text::new("Kun danske firmaer har et CVR-nummer", "Only Danish companies have a CVR number"),
            );
            None
        }
        (_, None) => None,
    };
    fields.done()?;
    Ok(Holder {
        kind: form.kind,
        name: name.unwrap_or_default(),
        cvr,
        address: address.unwrap_or_default(),
        country: country.unwrap_or_default(),
        email: email.unwrap_or_default(),
        phone: phone.flatten(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_holder_must_say() {
        let form = |kind, cvr: Option<&str>, country: &str| Holder {
            kind,
            name: "Firma ApS".to_owned(),
            cvr: cvr.map(str::to_owned),
            address: "Gade 1, 1000 By".to_owned(),
            country: country.to_owned(),
            email: "post@firma.example".to_owned(),
            phone: Some("+45 12345678".to_owned()),
        };
        use HolderKind::{Company, Person};
        for (form, good) in [
            (form(Company, Some("13585628"), "dk"), true),
            (form(Company, Some("13585629"), "DK"), false),
            (form(Company, None, "DK"), false),
            (form(Company, None, "SE"), true),
            (form(Company, Some("13585628"), "SE"), false),
            (form(Person, None, "DK"), true),
            (form(Person, Some("13585628"), "DK"), false),
        ] {
            let read = read(&form, "/holder");
            assert_eq!(read.is_ok(), good, "{form:?}");
            if let Err(refusal) = read {
                assert_eq!(refusal.fields[0].pointer, "/holder/cvr");
            }
        }
    }
}
