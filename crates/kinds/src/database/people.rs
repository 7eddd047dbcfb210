//! Users, databases and rights, as SQL that brings an instance to what is wished from whatever it holds. Pure text; safe to run again.
//!
//! Names are of a kind that needs no quoting ([`super::names`]) and are quoted all the same. A password is set only when its
//! generation is newer than the one noted in the instance, so that one that its user has changed in SQL stays.
//!
//! In PostgreSQL a database has three group roles, `<name>.owner`, `<name>.write` and `<name>.read`, and users are members of
//! them; a name holds no dot, so no user is taken for a group. In MariaDB rights are given to users directly.

use super::engine::Family;
use super::names::POOLER;
use super::spec::{Right, Spec};
use crate::Order;
use crate::sandbox;
use std::fmt::Write as _;

/// What tells two wishes apart.
pub(super) fn digest(order: &Order, spec: &Spec) -> String {
    let text = match spec.engine.family() {
        Family::Postgres => postgres(order, spec),
        Family::MariaDb => mariadb(order, spec),
    };
    sandbox::digest(&text)
}

/// A name as SQL has it in PostgreSQL.
fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A text as SQL has it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Texts as a list in parentheses, which SQL does not allow to be empty.
fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<String> = std::iter::once("").chain(texts).map(literal).collect();
    format!("({})", all.join(", "))
}

const GROUPS: [Right; 3] = [Right::Owner, Right::Write, Right::Read];

fn group(database: &str, right: Right) -> String {
    format!("{database}.{}", right.word())
}

/// For psql, connected to the database `postgres` as the platform's superuser.
pub(super) fn postgres(order: &Order, spec: &Spec) -> String {
    let mut sql = String::new();
    let out = &mut sql;
    let pooler = spec.pooling().map(|_| POOLER);
    let users = list(spec.users.keys().map(String::as_str).chain(pooler));
    let databases = list(spec.databases.keys().map(String::as_str));
    let stale = format!("rolcanlogin AND rolname <> 'husorden' AND rolname NOT IN {users}");

    line(out, "SET client_min_messages = warning;");
    // Who goes, goes at once: no new sessions, and none that is open.
    line(out, &format!("SELECT format('ALTER ROLE %I NOLOGIN', rolname) FROM pg_roles WHERE {stale} \\gexec"));
    line(
        out,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity JOIN pg_roles ON rolname = usename \
         WHERE NOT rolcanlogin AND pid <> pg_backend_pid() \\g /dev/null",
    );
    line(
        out,
        &format!(
            "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database \
         WHERE NOT datistemplate AND datname <> 'postgres' AND datname NOT IN {databases} \\gexec"
        ),
    );
    for user in spec.users.keys() {
        let Some(credential) = order.credential(user) else { continue };
        let (role, noted) = (name(user), literal(&format!("husorden {}", credential.generation)));
        create_role(out, user);
        line(
            out,
            &format!(
                "SELECT {} FROM pg_roles WHERE rolname = {} AND shobj_description(oid, 'pg_authid') IS DISTINCT FROM {noted} \\gexec",
                literal(&format!("ALTER ROLE {role} LOGIN PASSWORD {}", literal(&credential.hash))),
                literal(user),
            ),
        );
        line(out, &format!("COMMENT ON ROLE {role} IS {noted};"));
    }
    if let Some(pooler) = pooler {
        create_role(out, pooler);
        line(out, &format!("ALTER ROLE {pooler} LOGIN; ALTER ROLE {pooler} SET search_path = '';"));
    }
    for database in spec.databases.keys() {
        let at = name(database);
        for right in GROUPS {
            create_role(out, &group(database, right));
        }
        let owner = name(&group(database, Right::Owner));
        line(
            out,
            &format!(
                "SELECT {} WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = {}) \\gexec",
                literal(&format!("CREATE DATABASE {at} OWNER {owner}")),
                literal(database),
            ),
        );
        line(out, &format!("ALTER DATABASE {at} OWNER TO {owner};"));
        line(out, &format!("REVOKE ALL ON DATABASE {at} FROM PUBLIC;"));
        for right in [Right::Write, Right::Read] {
            let group = name(&group(database, right));
            line(out, &format!("GRANT CONNECT, TEMPORARY ON DATABASE {at} TO {group};"));
        }
        if let Some(pooler) = pooler {
            line(out, &format!("GRANT CONNECT ON DATABASE {at} TO {pooler};"));
        }
    }
    memberships(out, spec);
    for (database, inner) in &spec.databases {
        within(out, database, &inner.extensions.iter().map(String::as_str).collect::<Vec<_>>(), spec);
    }
    line(out, "\\connect postgres");
    // What belongs to nobody any more has been given away in each database above.
    line(
        out,
        "SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE NOT rolcanlogin AND rolname <> 'husorden' \
               AND rolname NOT LIKE 'pg\\_%' AND position('.' IN rolname) = 0 \\gexec",
    );
    line(
        out,
        &format!(
            "SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE position('.' IN rolname) > 0 \
         AND split_part(rolname, '.', 1) NOT IN {databases} \\gexec"
        ),
    );
    sql
}

/// Who is a member of which group, exactly.
fn memberships(out: &mut String, spec: &Spec) {
    let mut wanted = Vec::new();
    for (user, rights) in &spec.users {
        for (database, right) in &rights.grants {
            wanted.push(format!("({}, {})", literal(&group(database, *right)), literal(user)));
        }
    }
    wanted.push("('', '')".to_owned());
    let wanted = wanted.join(", ");
    line(
        out,
        &format!(
            "SELECT format('REVOKE %I FROM %I', g.rolname, m.rolname) FROM pg_auth_members a \
         JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member \
         WHERE position('.' IN g.rolname) > 0 AND (g.rolname::text, m.rolname::text) NOT IN ({wanted}) \\gexec"
        ),
    );
    line(
        out,
        &format!(
            "SELECT format('GRANT %I TO %I', g, m) FROM (VALUES {wanted}) AS w(g, m) \
         WHERE g <> '' AND EXISTS (SELECT FROM pg_roles WHERE rolname = m) \\gexec"
        ),
    );
}

/// What holds inside one database: what its groups may do with what is there and with what its owners make later.
fn within(out: &mut String, database: &str, extensions: &[&str], spec: &Spec) {
    let [owner, write, read] = GROUPS.map(|right| name(&group(database, right)));
    line(out, &format!("\\connect {}", name(database)));
    line(out, "SET client_min_messages = warning;");
    for extension in extensions {
        line(out, &format!("CREATE EXTENSION IF NOT EXISTS {};", name(extension)));
    }
    line(out, &format!("ALTER SCHEMA public OWNER TO {owner};"));
    if spec.pooling().is_some() {
        // A function would be of the customer's database, and stand in dumps of it.
        line(
            out,
            &format!(
                "GRANT SELECT (rolname, rolpassword, rolcanlogin, rolvaliduntil) ON pg_catalog.pg_authid TO {POOLER};"
            ),
        );
    }
    // Users who are gone leave what they own to the owners.
    line(
        out,
        &format!(
            "SELECT format('REASSIGN OWNED BY %1$I TO %2$I; DROP OWNED BY %1$I', rolname, {}) FROM pg_roles \
         WHERE NOT rolcanlogin AND rolname NOT LIKE 'pg\\_%' AND rolname <> 'husorden' AND position('.' IN rolname) = 0 \\gexec",
            literal(&group(database, Right::Owner)),
        ),
    );
    // Owners of the database own what any of them has made.
    let owners = spec.users.iter().filter(|(_, user)| user.grants.get(database) == Some(&Right::Owner));
    let mut makers: Vec<String> = owners.map(|(user, _)| name(user)).collect();
    makers.push(owner.clone());
    let rights = [
        ("TABLES", "ALL", "SELECT, INSERT, UPDATE, DELETE", "SELECT"),
        ("SEQUENCES", "ALL", "USAGE, SELECT, UPDATE", "SELECT"),
        ("SCHEMAS", "ALL", "USAGE", "USAGE"),
    ];
    for maker in &makers {
        for (what, all, change, see) in rights {
            for (to, right) in [(&owner, all), (&write, change), (&read, see)] {
                if to != maker {
                    line(out, &format!("ALTER DEFAULT PRIVILEGES FOR ROLE {maker} GRANT {right} ON {what} TO {to};"));
                }
            }
        }
    }
    for (to, tables, sequences) in
        [(&write, "SELECT, INSERT, UPDATE, DELETE", "USAGE, SELECT, UPDATE"), (&read, "SELECT", "SELECT")]
    {
        line(
            out,
            &format!(
                "SELECT format('GRANT USAGE ON SCHEMA %1$I TO {to}; GRANT {tables} ON ALL TABLES IN SCHEMA %1$I TO {to}; \
             GRANT {sequences} ON ALL SEQUENCES IN SCHEMA %1$I TO {to}', nspname) FROM pg_namespace \
             WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' \\gexec"
            ),
        );
    }
}

fn create_role(out: &mut String, role: &str) {
    line(
        out,
        &format!(
            "SELECT {} WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {}) \\gexec",
            literal(&format!("CREATE ROLE {} NOLOGIN", name(role))),
            literal(role),
        ),
    );
}

/// For the mariadb client, as the platform's administrator.
pub(super) fn mariadb(order: &Order, spec: &Spec) -> String {
    let mut sql = String::new();
    let out = &mut sql;
    let users = list(spec.users.keys().map(String::as_str));
    let databases = list(spec.databases.keys().map(String::as_str));
    line(out, "DELIMITER //");
    line(out, "CREATE DATABASE IF NOT EXISTS husorden//");
    line(
        out,
        "CREATE TABLE IF NOT EXISTS husorden.people (name VARCHAR(80) PRIMARY KEY, generation BIGINT NOT NULL)//",
    );
    // Hashes are set below, and the plugin would judge passwords only.
    line(out, "SET GLOBAL strict_password_validation = OFF//");
    line(
        out,
        &format!(
            "BEGIN NOT ATOMIC\n\
         FOR stale IN (SELECT User AS u, Host AS h FROM mysql.global_priv WHERE User NOT IN {users} \
         AND User NOT IN ('site', 'mariadb.sys')) DO\n\
         EXECUTE IMMEDIATE CONCAT('DROP USER ', QUOTE(stale.u), '@', QUOTE(stale.h));\n\
         EXECUTE IMMEDIATE CONCAT('KILL USER ', QUOTE(stale.u));\n\
         END FOR;\n\
         FOR stale IN (SELECT SCHEMA_NAME AS d FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN {databases} \
         AND SCHEMA_NAME NOT IN ('husorden', 'information_schema', 'mysql', 'performance_schema', 'sys')) DO\n\
         EXECUTE IMMEDIATE CONCAT('DROP DATABASE `', REPLACE(stale.d, '`', '``'), '`');\n\
         END FOR;\n\
         DELETE FROM husorden.people WHERE name NOT IN {users};\n\
         END//"
        ),
    );
    for database in spec.databases.keys() {
        line(out, &format!("CREATE DATABASE IF NOT EXISTS `{database}` CHARACTER SET utf8mb4//"));
    }
    for (user, rights) in &spec.users {
        let Some(credential) = order.credential(user) else { continue };
        let (who, hash) = (format!("'{user}'@'%'"), literal(&credential.hash));
        line(out, &format!("CREATE USER IF NOT EXISTS {who} IDENTIFIED BY PASSWORD {hash} REQUIRE SSL//"));
        line(
            out,
            &format!(
                "BEGIN NOT ATOMIC\n\
             IF NOT EXISTS (SELECT 1 FROM husorden.people WHERE name = '{user}' AND generation = {generation}) THEN\n\
             ALTER USER {who} IDENTIFIED BY PASSWORD {hash} REQUIRE SSL;\n\
             REPLACE INTO husorden.people VALUES ('{user}', {generation});\n\
             END IF;\n\
             END//",
                generation = credential.generation,
            ),
        );
        line(out, &format!("REVOKE ALL PRIVILEGES, GRANT OPTION FROM {who}//"));
        for (database, right) in &rights.grants {
            let granted = match right {
                Right::Read => "SELECT, SHOW VIEW",
                Right::Write => {
                    "SELECT, SHOW VIEW, INSERT, UPDATE, DELETE, EXECUTE, LOCK TABLES, CREATE TEMPORARY TABLES"
                }
                Right::Owner => "ALL PRIVILEGES",
            };
            // In a grant the underscore stands for any character.
            let pattern = database.replace('_', "\\_");
            line(out, &format!("GRANT {granted} ON `{pattern}`.* TO {who}//"));
        }
    }
    line(out, "SET GLOBAL strict_password_validation = ON//");
    sql
}

fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{text}");
}
