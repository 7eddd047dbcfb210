//! Questions to nodes, in the database.

use super::one;
use husorden_base::{AccountId, QuestionId, SolutionId};
use husorden_wire::node::Question;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};

/// Asks the node that a solution lies on.
pub(crate) async fn ask(
    conn: &mut PgConnection,
    question: QuestionId,
    solution: SolutionId,
    about: &Question,
) -> Result<(), sqlx::Error> {
    let sql = "insert into question (id, solution, account, node, about)
               select $1, id, account, node, $3 from solution where id = $2";
    sqlx::query(sql).bind(question.0).bind(solution.0).bind(Json(about)).execute(conn).await?;
    Ok(())
}

/// Asks a node about what only it knows.
pub(crate) async fn ask_of(
    conn: &mut PgConnection,
    question: QuestionId,
    (account, (node, solution)): (AccountId, (&str, SolutionId)),
    about: &Question,
) -> Result<(), sqlx::Error> {
    let sql = "insert into question (id, solution, account, node, about) values ($1, $2, $3, $4, $5)";
    let asked = sqlx::query(sql).bind(question.0).bind(solution.0).bind(account.0).bind(node).bind(Json(about));
    asked.execute(conn).await?;
    Ok(())
}

/// What was answered: nothing yet, or the text there was, if any.
pub(crate) async fn answer(
    conn: &mut PgConnection,
    question: QuestionId,
) -> Result<Option<Option<String>>, sqlx::Error> {
    #[derive(serde::Deserialize)]
    struct Answered {
        text: Option<String>,
    }
    let sql = "select answer from question where id = $1 and answer is not null";
    let found: Option<Answered> = one(super::json(sql).bind(question.0), conn).await?;
    Ok(found.map(|answered| answered.text))
}

/// Whoever asked has read it, or waits no longer.
pub(crate) async fn forget(conn: &mut PgConnection, question: QuestionId) -> Result<(), sqlx::Error> {
    sqlx::query("delete from question where id = $1").bind(question.0).execute(conn).await?;
    Ok(())
}

/// Forgets what nobody waits for.
pub(crate) async fn sweep(system: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select sweep_questions()").fetch_one(system).await
}
