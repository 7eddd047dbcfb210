//! A site as a package: its files and its database.

use super::engine::{self, SOCKETS, WWW, mark};
use super::spec::{Runtime, Spec};
use crate::{Bind, Network, Order, Place, Task};
use husorden_base::RuntimeName;
use std::collections::BTreeMap;

/// The task, where the site is made.
pub(super) fn task(order: &Order, marks: &BTreeMap<String, String>) -> Option<Task> {
    let spec = Spec::stored(&order.spec).ok()?;
    let away = marks.get(mark::AWAY).is_some_and(|place| place != super::attached::NONE);
    let database = engine::held(marks).filter(|_| !away).and_then(|(database, _)| database.catalogue());
    let tools = database.clone().unwrap_or_else(|| engine::toolbox(&spec));
    let mut sandbox = engine::db_sandbox(&spec, &tools);
    sandbox.files.clear();
    sandbox.binds =
        vec![Bind { from: Place::Folder("www".to_owned()), to: WWW.to_owned(), write: false }, engine::sockets()];
    sandbox.network = Network::Nothing;
    sandbox.env.insert("DATABASE".to_owned(), database.as_ref().map(ToString::to_string).unwrap_or_default());
    let readme = readme(&spec, database.as_ref(), away);
    Some(crate::package::task(order, sandbox, include_str!("files/package.sh"), &readme))
}

fn readme(spec: &Spec, database: Option<&RuntimeName>, away: bool) -> String {
    let domain = &spec.domains[0];
    let mut text = format!("## {domain}\n\nSom root: · As root:\n\n");
    if database.is_some() {
        text += "    apt-get install --yes mariadb-server\n";
    }
    if spec.runtime != Runtime::Static {
        text += "    apt-get install --yes php-cli php-fpm php-mysql php-xml php-mbstring php-curl php-gd php-zip php-intl\n";
    }
    let root = format!("/var/www/{domain}");
    text += &format!("    mkdir --parents {root}\n    cat files.tar.gz.* | tar --extract --gzip --directory={root}\n");
    if database.is_some() {
        text += "    cat database/site.sql.gz.* | gunzip | mariadb\n    password=$(tr -dc a-z0-9 < /dev/urandom | head --bytes=32)\n    \
                 echo \"CREATE USER site@localhost IDENTIFIED BY '$password'; GRANT ALL ON site.* TO site@localhost\" | mariadb\n";
        if spec.app.is_some() {
            text += &format!(
                "    sed --in-place \"s,localhost:{SOCKETS}/db.sock,localhost,; s/'DB_PASSWORD', ''/'DB_PASSWORD', '$password'/\" {root}/wp-config.php\n"
            );
        }
    }
    let served = if spec.docroot.is_empty() { root } else { format!("{root}/{}", spec.docroot) };
    text += &format!(
        "\nLad en webserver vise `{served}` under {domain}. · Have a web server show `{served}` as {domain}.\n"
    );
    if away {
        text += "\nDatabasen ligger i en løsning for sig og tages med derfra. · The database lies in a solution of its own and is taken from there.\n";
    }
    text
}
