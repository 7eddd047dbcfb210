//! A real S3 server in this process (`s3s-fs`), with two accounts: the node's, held to the policy that docs/backups.md tells operators, and the
//! target's own side, which may do everything. The node's own tests use it too.

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::dto::ListObjectsV2Input;
use s3s::service::S3ServiceBuilder;
use s3s::{S3Request, S3Result, s3_error};
use std::path::Path;

/// The bucket.
pub(crate) const BUCKET: &str = "backups";
/// The region that requests are signed for.
pub(crate) const REGION: &str = "us-east-1";
/// The node's access key.
pub(crate) const NODE: &str = "NODE";
/// The access key of the target's own side.
pub(crate) const KEEPER: &str = "KEEPER";
/// What both are opened with.
pub(crate) const SECRET: &str = "a-secret-of-the-tests";

/// A server, which ends when it is dropped.
pub(crate) struct S3Server {
    pub(crate) port: u16,
    _runtime: tokio::runtime::Runtime,
}

/// The bucket's policy, as docs/backups.md has it.
struct Policy;

#[async_trait::async_trait]
impl S3Access for Policy {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let who = cx.credentials().map(|credentials| credentials.access_key.clone());
        let allowed = match (who.as_deref(), cx.s3_op().name()) {
            (Some(KEEPER), _) => true,
            (Some(NODE), "GetObject" | "HeadObject" | "ListObjectsV2" | "ListObjects" | "GetBucketLocation") => true,
            (Some(NODE), "PutObject") => cx.headers().get("if-none-match").is_some_and(|value| value == "*"),
            _ => false,
        };
        if allowed { Ok(()) } else { Err(s3_error!(AccessDenied, "the bucket's policy does not allow it")) }
    }

    /// An empty delimiter is none, as stock restic asks and as S3 has it; this server takes it for one.
    async fn list_objects_v2(&self, request: &mut S3Request<ListObjectsV2Input>) -> S3Result<()> {
        request.input.delimiter.take_if(|delimiter| delimiter.is_empty());
        Ok(())
    }
}

/// Serves the folders in this folder as buckets.
pub(crate) fn serve(root: &Path) -> S3Server {
    std::fs::create_dir_all(root.join(BUCKET)).expect("a bucket");
    let mut accounts = SimpleAuth::new();
    for name in [NODE, KEEPER] {
        accounts.register(name.to_owned(), SECRET.into());
    }
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).expect("a folder"));
    service.set_auth(accounts);
    service.set_access(Policy);
    let service = service.build();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).expect("a port");
    let port = listener.local_addr().expect("its number").port();
    runtime.spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let http = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
                // A connection that ends early is the client's to speak of.
                drop(http.serve_connection(hyper_util::rt::TokioIo::new(connection), service).await);
            });
        }
    });
    S3Server { port, _runtime: runtime }
}
