//! What databases say of themselves on people's pages: the starts that are offered, an instance's card, and how its users connect.

use super::engine::{ENGINES, Family};
use super::plan::{door, pooler_door};
use super::pooler;
use super::spec::{Pooling, Spec};
use crate::page::{CardRow, Glyph, Offer, Snippet, Whereabouts};
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
    let mut rows = vec![
        row(Text::new("Vært", "Host"), at.host.clone(), true),
        row(Text::new("Port", "Port"), door(at.number).to_string(), true),
    ];
    if spec.pooling().is_some() {
        rows.push(row(Text::new("Poolerens port", "Port of the pooler"), pooler_door(at.number).to_string(), true));
    }
    rows.push(row(Text::new("Motor", "Engine"), spec.engine.called().en, false));
    rows
}

/// How one user connects, by everything that is in common use: over TLS, with the name verified.
pub(super) fn snippets(at: &Whereabouts, spec: &Spec, user: &str) -> Vec<Snippet> {
    let (host, port) = (&at.host, door(at.number));
    let Some(rights) = spec.users.get(user) else { return Vec::new() };
    // The one they may do most in; of several the first.
    let best = rights.grants.iter().max_by_key(|(name, right)| (**right, std::cmp::Reverse(*name)));
    let Some(database) = best.map(|(name, _)| name).or_else(|| spec.databases.keys().next()) else { return Vec::new() };
    let lines = match spec.engine.family() {
        Family::Postgres => {
            let mut lines = postgres(&To { host, port, database, user, keeps: true }, DIRECT);
            if spec.pooling().is_some() {
                let (port, keeps) = (pooler_door(at.number), pooler::keeps_statements(spec.engine));
                let keeps = keeps || spec.pooler == Pooling::Session;
                lines.extend(postgres(&To { host, port, database, user, keeps }, POOLED));
            }
            lines
        }
        Family::MariaDb => vec![
            (
                "mariadb",
                format!(
                    "mariadb --host={host} --port={port} --user={user} --password --ssl-ca=ca.pem --ssl-verify-server-cert {database}"
                ),
            ),
            (
                "mysql",
                format!(
                    "mysql --host={host} --port={port} --user={user} --password --ssl-ca=ca.pem --ssl-mode=VERIFY_IDENTITY {database}"
                ),
            ),
            (
                "JDBC",
                format!(
                    "jdbc:mariadb://{host}:{port}/{database}?user={user}&password=PASSWORD&sslMode=verify-full&serverSslCert=ca.pem"
                ),
            ),
            (
                "PHP (PDO)",
                format!(
                    "new PDO('mysql:host={host};port={port};dbname={database};charset=utf8mb4', '{user}', 'PASSWORD', [PDO::MYSQL_ATTR_SSL_CA => 'ca.pem', PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => true])"
                ),
            ),
            (
                // Without the last word this driver trusts a certificate for any name.
                "Node.js (mysql2)",
                format!(
                    "mysql.createConnection({{ host: '{host}', port: {port}, user: '{user}', password: 'PASSWORD', database: '{database}', ssl: {{ ca: fs.readFileSync('ca.pem'), verifyIdentity: true }} }})"
                ),
            ),
            (
                "Python (PyMySQL)",
                format!(
                    "pymysql.connect(host='{host}', port={port}, user='{user}', password='PASSWORD', database='{database}', ssl={{'ca': 'ca.pem', 'check_hostname': True}})"
                ),
            ),
        ],
    };
    lines.into_iter().map(|(name, code)| Snippet { name, code }).collect()
}

/// What the lines of PostgreSQL are called, by the server's own port and by the pooler's.
const DIRECT: [&str; 6] = ["psql", "URL", "JDBC", "PHP (PDO)", "Node.js (pg)", "Python (psycopg)"];
const POOLED: [&str; 6] = [
    "psql, pooler",
    "URL, pooler",
    "JDBC, pooler",
    "PHP (PDO), pooler",
    "Node.js (pg), pooler",
    "Python (psycopg), pooler",
];

/// Where a client goes, and as whom.
struct To<'a> {
    host: &'a str,
    port: u16,
    database: &'a str,
    user: &'a str,
    /// Whether statements that were prepared are there in the next transaction.
    keeps: bool,
}

fn postgres(to: &To<'_>, names: [&'static str; 6]) -> Vec<(&'static str, String)> {
    let To { host, port, database, user, keeps } = to;
    let verified = "sslmode=verify-full&sslrootcert=ca.pem";
    let (java, php) = if *keeps { ("", "") } else { ("&prepareThreshold=0", ", [PDO::ATTR_EMULATE_PREPARES => true]") };
    let code = [
        format!(
            "psql \"host={host} port={port} dbname={database} user={user} sslmode=verify-full sslrootcert=ca.pem\""
        ),
        format!("postgresql://{user}:PASSWORD@{host}:{port}/{database}?{verified}"),
        format!("jdbc:postgresql://{host}:{port}/{database}?user={user}&password=PASSWORD&{verified}{java}"),
        format!(
            "new PDO('pgsql:host={host};port={port};dbname={database};sslmode=verify-full;sslrootcert=ca.pem', '{user}', 'PASSWORD'{php})"
        ),
        format!(
            "new pg.Client({{ host: '{host}', port: {port}, user: '{user}', password: 'PASSWORD', database: '{database}', ssl: {{ ca: fs.readFileSync('ca.pem') }} }})"
        ),
        format!(
            "psycopg.connect(\"host={host} port={port} dbname={database} user={user} password=PASSWORD sslmode=verify-full sslrootcert=ca.pem\")"
        ),
    ];
    names.into_iter().zip(code).collect()
}

/// What people call the choices of the form.
pub(super) fn names() -> Vec<(&'static str, Text)> {
    let mut names: Vec<(&'static str, Text)> = ENGINES.iter().map(|(word, engine)| (*word, engine.called())).collect();
    names.extend([
        ("read", Text::new("Læse", "Read")),
        ("write", Text::new("Læse og ændre", "Read and change")),
        ("owner", Text::new("Eje", "Own")),
        ("off", Text::new("Ingen", "None")),
        ("transaction", Text::new("Pr. transaktion", "By transaction")),
        ("session", Text::new("Pr. session", "By session")),
    ]);
    names
}
