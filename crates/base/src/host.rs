//! The name of a solution on its installation, for what is reached by a port: `database-7.solutions.test`. Control shows it, the
//! node certifies it.

use crate::{Domain, Number};

/// The zone of a first look. It shares no registrable domain with the platform's own pages or with customers' sites.
///
/// # Panics
/// Never: it is a domain.
#[must_use]
pub fn zone() -> Domain {
    "solutions.test".parse().expect("it is a domain")
}

/// The name of the solution with this number under the installation's zone; `None` where the zone is so long that there is
/// no room for it, or the kind is no label of a domain.
#[must_use]
pub fn host(kind: &str, number: Number, zone: &Domain) -> Option<Domain> {
    format!("{kind}-{number}.{zone}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_label_of_the_zone() {
        let number = Number::new(7).expect("7");
        let named = host("database", number, &zone()).map(|host| host.to_string());
        assert_eq!(named.as_deref(), Some("database-7.solutions.test"));
        assert_eq!(host("no kind", number, &zone()), None);
    }
}
