//! What each door shows and does not show, asked of PostgreSQL itself.

use crate::cluster::{connect, database};
use crate::house::House;
use husorden_control::doors::{Doors, Role};
use serde_json::json;
use sqlx::{Connection, PgConnection};

/// Tables without row-level security. It stays empty.
const OPEN_TABLES: [&str; 0] = [];

async fn refused(conn: &mut PgConnection, sql: &'static str) {
    let error = sqlx::raw_sql(sql).execute(conn).await.err().unwrap_or_else(|| panic!("{sql} is refused"));
    let code = error.as_database_error().and_then(|e| e.code()).unwrap_or_default().into_owned();
    assert_eq!(code, "42501", "{sql}: {error}");
}

#[tokio::test]
async fn every_table_has_row_level_security_for_its_owner_too() {
    let database = database().await;
    let mut owner = connect(&database, Role::Owner).await;
    let open: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relkind in ('r', 'p', 'f', 'm') and relnamespace = 'public'::regnamespace
           and not (relrowsecurity and relforcerowsecurity) order by 1",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert_eq!(open, OPEN_TABLES);
    let tables: i64 = sqlx::query_scalar(
        "select count(*) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace",
    )
    .fetch_one(&mut owner)
    .await
    .unwrap();
    assert!(tables > 12, "the walk saw {tables} tables");
    // A view runs with its reader's rights, or it would be a way around all this.
    let wide: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relkind = 'v' and relnamespace = 'public'::regnamespace
           and not coalesce('security_invoker=true' = any (reloptions), false)",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert!(wide.is_empty(), "{wide:?}");
    // A function that runs as its owner names its search path.
    let loose: Vec<String> = sqlx::query_scalar(
        "select proname::text from pg_proc where pronamespace = 'public'::regnamespace and prosecdef
           and not coalesce(array_to_string(proconfig, ','), '') like '%search_path=public, pg_temp%'",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert!(loose.is_empty(), "{loose:?}");
}

#[tokio::test]
async fn the_doors_own_nothing() {
    let database = database().await;
    for role in Role::DOORS {
        let mut conn = connect(&database, role).await;
        let owned: i64 = sqlx::query_scalar(
            "select (select count(*) from pg_class where relowner = r.oid) + (select count(*) from pg_proc where proowner = r.oid)
                  + (select count(*) from pg_namespace where nspowner = r.oid) + (select count(*) from pg_database where datdba = r.oid)
                  + (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)::int
             from pg_roles r where rolname = current_user",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        assert_eq!(owned, 0, "{role:?}");
        refused(&mut conn, "create table mine (x int)").await;
    }
}

#[tokio::test]
async fn a_tenant_sees_its_own_rows_and_nobody_elses() {
    let house = House::new().await;
    house.create("shop", json!({ "names": ["shop.example"] })).await;
    let mut conn = connect(&house.config.database, Role::Tenant).await;
    let tables = ["account", "solution", "claim", "event", "evidence"];
    for table in tables {
        let sql = format!("select count(*) from {table}");
        let mut count = async |account: Option<String>| -> i64 {
            let mut tx = conn.begin().await.unwrap();
            if let Some(account) = account {
                sqlx::query("select set_config('app.account', $1, true)")
                    .bind(account)
                    .execute(&mut *tx)
                    .await
                    .unwrap();
            }
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone())).fetch_one(&mut *tx).await.unwrap()
        };
        assert_eq!(count(None).await, 0, "{table}: with no account set there are no rows");
        assert!(count(Some(house.ours.to_string())).await > 0, "{table}");
        let theirs = i64::from(table == "account");
        assert_eq!(count(Some(house.theirs.to_string())).await, theirs, "{table}");
    }
    // Writing in another's name is refused, whatever is set.
    let mut tx = conn.begin().await.unwrap();
    sqlx::query("select set_config('app.account', $1, true)")
        .bind(house.theirs.to_string())
        .execute(&mut *tx)
        .await
        .unwrap();
    let error = sqlx::query(
        "insert into solution (id, account, node, name, kind, aim, spec, epoch) values (gen_random_uuid(), $1, 'local', 'x', 'tiny', 'run', '{}', 1)",
    )
    .bind(house.ours.0)
    .execute(&mut *tx)
    .await
    .expect_err("another's account");
    assert!(error.to_string().contains("row-level security"), "{error}");
    drop(tx);
    let mut tx = conn.begin().await.unwrap();
    sqlx::query("select set_config('app.account', $1, true)")
        .bind(house.theirs.to_string())
        .execute(&mut *tx)
        .await
        .unwrap();
    let changed = sqlx::query("update solution set name = 'mine'").execute(&mut *tx).await.unwrap();
    assert_eq!(changed.rows_affected(), 0);
    drop(tx);
    for sql in [
        "select * from case_file",
        "select digest from token",
        "select * from node",
        "select * from job",
        "update evidence set who = 'x'",
        "delete from evidence",
        "delete from solution",
        "select token_find('')",
        "select node_hello('x', gen_random_uuid(), 1)",
        "set role husorden_staff",
    ] {
        refused(&mut conn, sql).await;
    }
    house.running.stop().await;
}

#[tokio::test]
async fn staff_see_metadata_and_no_hashes() {
    let database = database().await;
    let mut conn = connect(&database, Role::Staff).await;
    sqlx::query("select id, name, spec from solution").fetch_all(&mut conn).await.unwrap();
    for sql in [
        "select credentials from solution",
        "select digest from token",
        "select body from idempotency",
        "update solution set name = 'x'",
        "delete from measure",
        "update evidence set who = 'x'",
        "select job_claim(gen_random_uuid(), 1, 1)",
    ] {
        refused(&mut conn, sql).await;
    }
}

#[tokio::test]
async fn the_system_door_is_functions_only() {
    let database = database().await;
    let mut owner = connect(&database, Role::Owner).await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relkind in ('r', 'v') and relnamespace = 'public'::regnamespace
           and (has_table_privilege('husorden_system', oid, 'select, insert, update, delete, truncate')
                or has_any_column_privilege('husorden_system', oid, 'select, insert, update'))",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert!(tables.is_empty(), "{tables:?}");
    let mut conn = connect(&database, Role::System).await;
    refused(&mut conn, "select * from solution").await;
    refused(&mut conn, "select * from token").await;
    sqlx::query("select epoch_now()").execute(&mut conn).await.unwrap();
}

#[tokio::test]
async fn control_does_not_start_on_a_role_that_can_do_more() {
    let database = database().await;
    let mut root = crate::cluster::root(&database.socket_dir, &database.name).await;
    Doors::open(&database, false).await.expect("the doors open").close().await;
    // In a database of its own the role is given a table; roles are of the whole cluster, so only ownership is tried.
    sqlx::raw_sql("create table wide (x int); alter table wide owner to husorden_staff")
        .execute(&mut root)
        .await
        .unwrap();
    let error = Doors::open(&database, false).await.expect_err("a door that owns a table");
    assert!(error.to_string().contains("husorden_staff"), "{error}");
}
