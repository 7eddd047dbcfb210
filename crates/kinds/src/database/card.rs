//! What databases say of themselves on people's pages: the starts that are offered, and an instance's card with ready connection
//! strings.

use super::engine::{ENGINES, Family};
use super::plan::door;
use super::spec::Spec;
use crate::page::{CardRow, Glyph, Offer, Whereabouts};
use husorden_base::Text;
use serde_json::json;

/// The starts.
pub(super) fn offers() -> Vec<Offer> {
    vec![
        Offer {
            name: "postgresql",
            title: Text::new("PostgreSQL", "PostgreSQL"),
            about: Text::new(
                "Din egen PostgreSQL 17, klar på et øjeblik: over TLS, og kun for de adresser, du nævner.",
                "Your own PostgreSQL 17, ready in a moment: over TLS, and open only to the addresses you name.",
            ),
            glyph: Glyph::Database,
            spec: json!({"engine": "postgresql-17"}),
        },
        Offer {
            name: "mariadb",
            title: Text::new("MariaDB", "MariaDB"),
            about: Text::new(
                "Din egen MariaDB 11.8, som taler med alt, der taler MySQL.",
                "Your own MariaDB 11.8, which speaks with everything that speaks MySQL.",
            ),
            glyph: Glyph::Database,
            spec: json!({"engine": "mariadb-11.8"}),
        },
    ]
}

/// The card of one instance.
pub(super) fn card(at: &Whereabouts, spec: &Spec) -> Vec<CardRow> {
    let row = |label: Text, value: String, copy: bool| CardRow { label, value, link: None, copy };
    let port = door(at.number);
    let host = &at.host;
    let mut rows = vec![
        row(Text::new("Vært", "Host"), host.clone(), true),
        row(Text::new("Port", "Port"), port.to_string(), true),
        row(Text::new("Motor", "Engine"), spec.engine.called().en, false),
    ];
    let user = spec.users.keys().next().map_or("USER", String::as_str);
    let database = spec.databases.keys().next().map_or("DATABASE", String::as_str);
    // The certificate's authority is a file that the owner fetches; PASSWORD stands where theirs goes.
    let strings: Vec<(&str, String)> = match spec.engine.family() {
        Family::Postgres => vec![
            (
                "psql",
                format!(
                    "psql \"host={host} port={port} dbname={database} user={user} sslmode=verify-full sslrootcert=ca.pem\""
                ),
            ),
            (
                "JDBC",
                format!(
                    "jdbc:postgresql://{host}:{port}/{database}?user={user}&sslmode=verify-full&sslrootcert=ca.pem"
                ),
            ),
            (
                "PHP",
                format!(
                    "new PDO('pgsql:host={host};port={port};dbname={database};sslmode=verify-full;sslrootcert=ca.pem', '{user}', 'PASSWORD')"
                ),
            ),
            (
                "Node.js",
                format!("postgresql://{user}:PASSWORD@{host}:{port}/{database}?sslmode=verify-full&sslrootcert=ca.pem"),
            ),
            (
                "Python",
                format!(
                    "psycopg.connect(\"host={host} port={port} dbname={database} user={user} password=PASSWORD sslmode=verify-full sslrootcert=ca.pem\")"
                ),
            ),
        ],
        Family::MariaDb => vec![
            (
                "mysql",
                format!(
                    "mariadb --host={host} --port={port} --user={user} --password --ssl-ca=ca.pem --ssl-verify-server-cert {database}"
                ),
            ),
            (
                "JDBC",
                format!("jdbc:mariadb://{host}:{port}/{database}?user={user}&sslMode=verify-full&serverSslCert=ca.pem"),
            ),
            (
                "PHP",
                format!(
                    "new PDO('mysql:host={host};port={port};dbname={database}', '{user}', 'PASSWORD', [PDO::MYSQL_ATTR_SSL_CA => 'ca.pem'])"
                ),
            ),
            (
                "Node.js",
                format!(
                    "mysql.createConnection({{ host: '{host}', port: {port}, user: '{user}', password: 'PASSWORD', database: '{database}', ssl: {{ ca: fs.readFileSync('ca.pem') }} }})"
                ),
            ),
            (
                "Python",
                format!(
                    "pymysql.connect(host='{host}', port={port}, user='{user}', password='PASSWORD', database='{database}', ssl={{'ca': 'ca.pem'}})"
                ),
            ),
        ],
    };
    rows.extend(strings.into_iter().map(|(name, text)| row(Text::new(name, name), text, true)));
    rows
}

/// What people call the choices of the form.
pub(super) fn names() -> Vec<(&'static str, Text)> {
    let mut names: Vec<(&'static str, Text)> = ENGINES.iter().map(|(word, engine)| (*word, engine.called())).collect();
    names.extend([
        ("read", Text::new("Læse", "Read")),
        ("write", Text::new("Læse og ændre", "Read and change")),
        ("owner", Text::new("Eje", "Own")),
    ]);
    names
}
