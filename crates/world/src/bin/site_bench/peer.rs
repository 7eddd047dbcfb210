//! The peer of whole sites: one PHP-FPM master with a pool for each site, one nginx for all, and one MariaDB for all or one for
//! each, from the same Debian packages and the same WordPress tree as ours, set up by the steps a person would take by hand.

use anyhow::{Context, Result, bail};
use husorden_world::hand::{self, INSIDE, Running, pool, run, runtime};
use husorden_world::{House, text};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Name of the database server that sites share.
pub(crate) const SHARED: &str = "db";
const ADDRESS: &str = "127.0.0.1:18082";
/// Users of the database and of the first site; far above those of the machine.
const DB_UID: u32 = 910_000;
const SITE_UID: u32 = 910_001;
/// WordPress's own installer, run once as the site's user.
const INSTALL: &str = r#"<?php
[, $site, $url] = $argv;
$_SERVER = ['HTTP_HOST' => parse_url($url, PHP_URL_HOST), 'SERVER_PROTOCOL' => 'HTTP/1.1', 'REQUEST_METHOD' => 'GET', 'REQUEST_URI' => '/'] + $_SERVER;
define('WP_INSTALLING', true);
define('WP_SITEURL', $url);
require "/srv/x/sites/$site/wp-load.php";
require ABSPATH . 'wp-admin/includes/upgrade.php';
add_filter('pre_http_request', fn () => new WP_Error('bench', 'no network'));
add_filter('pre_wp_mail', '__return_false');
wp_install('Made', 'owner', 'owner@made.example', true, '', bin2hex(random_bytes(12)));
update_option('permalink_structure', '/%postname%/');
"#;

/// The peer while it runs.
pub(crate) struct Shared {
    folder: tempfile::TempDir,
    php: PathBuf,
    mariadb: PathBuf,
    app: PathBuf,
    fpm: Option<Running>,
    nginx: Option<Running>,
    db: Option<Running>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Those who ask go before those who answer.
        drop(self.nginx.take());
        drop(self.fpm.take());
        drop(self.db.take());
    }
}

impl Shared {
    /// Starts it with one MariaDB and no sites.
    pub(crate) fn start(house: &House) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("husorden-bench").tempdir_in("/var/tmp")?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let apps = fs::read_dir(pool(house).join("apps"))?.flatten().map(|entry| entry.path());
        let app = apps.filter(|path| path.join("wordpress").is_dir()).max().context("no WordPress in the pool")?;
        let mut shared = Self {
            folder,
            php: runtime(house, "php-8.4")?,
            mariadb: runtime(house, "mariadb-11.8")?,
            app: app.join("wordpress"),
            fpm: None,
            nginx: None,
            db: None,
        };
        for name in ["sites", "pools", "vhosts", "run"] {
            fs::create_dir(shared.at(name))?;
        }
        chown(shared.at("run"), Some(DB_UID), Some(DB_UID))?;
        fs::set_permissions(shared.at("run"), fs::Permissions::from_mode(0o777))?;
        fs::write(shared.at("install.php"), INSTALL)?;
        shared.db = Some(shared.start_db(SHARED)?);
        // One pool at least, or FPM does not start.
        shared.pool(0)?;
        shared.start_web()?;
        Ok(shared)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn inside(&self, root: &Path, uid: u32, program: &[&str]) -> Command {
        hand::command(root, self.folder.path(), uid, program)
    }

    /// Initialises a MariaDB in a folder of its own and starts it on a socket of the same name.
    pub(crate) fn start_db(&self, name: &str) -> Result<Running> {
        fs::create_dir(self.at(name))?;
        chown(self.at(name), Some(DB_UID), Some(DB_UID))?;
        let data = format!("--datadir={INSIDE}/{name}");
        run(&mut self.inside(
            &self.mariadb,
            DB_UID,
            &[
                "mariadb-install-db",
                "--no-defaults",
                &data,
                "--skip-test-db",
                "--skip-name-resolve",
                "--auth-root-authentication-method=normal",
            ],
        ))?;
        let log = fs::File::create(self.at("db.log"))?;
        let mut server = self.inside(
            &self.mariadb,
            DB_UID,
            &[
                "mariadbd",
                "--no-defaults",
                &data,
                &socket(name),
                "--skip-networking",
                "--max-connections=500",
                "--pid-file=/tmp/pid",
            ],
        );
        let running = Running(server.stdout(Stdio::null()).stderr(log).spawn().context("starting MariaDB")?);
        self.until("MariaDB", || self.sql(name, "select 1").is_ok())?;
        Ok(running)
    }

    fn start_web(&mut self) -> Result<()> {
        fs::write(
            self.at("fpm.conf"),
            format!("[global]\ndaemonize = no\nerror_log = {INSIDE}/fpm.log\ninclude = {INSIDE}/pools/*.conf\n"),
        )?;
        // What the manual advises for many scripts; the defaults are for one application.
        let settings = ["-d", "opcache.memory_consumption=512", "-d", "opcache.max_accelerated_files=100000"];
        let conf = format!("{INSIDE}/fpm.conf");
        let mut master = self.inside(&self.php, 0, &["/usr/sbin/php-fpm8.4", "-F", "-y", &conf]);
        master.args(settings);
        self.fpm =
            Some(Running(master.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("starting PHP-FPM")?));
        self.until("the shared PHP-FPM", || self.at("run/s0.sock").exists())?;
        fs::write(
            self.at("nginx.conf"),
            format!(
                "user www-data;\nworker_processes auto;\npid {0}/nginx.pid;\nerror_log {0}/nginx.log;\nevents {{}}\nhttp {{\naccess_log off;\nserver_names_hash_max_size 65536;\nserver_names_hash_bucket_size 128;\ninclude {0}/vhosts/*.conf;\n}}\n",
                self.folder.path().display()
            ),
        )?;
        self.vhost(0)?;
        let mut nginx = self.nginx_command(&["-g", "daemon off;"]);
        self.nginx = Some(Running(nginx.spawn().context("starting nginx")?));
        self.until("the shared nginx", || std::net::TcpStream::connect(ADDRESS).is_ok())
    }

    fn nginx_command(&self, more: &[&str]) -> Command {
        let mut nginx = Command::new("nginx");
        nginx.arg("-p").arg(self.folder.path()).arg("-c").arg(self.at("nginx.conf")).args(more);
        nginx.stdout(Stdio::null()).stderr(Stdio::null());
        nginx
    }

    fn until(&self, what: &str, mut ready: impl FnMut() -> bool) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(60);
        while !ready() {
            if Instant::now() > end {
                let said = fs::read_to_string(self.at("db.log")).unwrap_or_default();
                bail!("{what} does not come up: {said}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn sql(&self, db: &str, statements: &str) -> Result<()> {
        let client = ["mariadb", "--no-defaults", &socket(db), "-u", "root", "-e", statements];
        run(&mut self.inside(&self.mariadb, 0, &client)).map(drop)
    }

    /// Writes a pool; FPM takes it at its next reload.
    pub(crate) fn pool(&self, site: usize) -> Result<()> {
        let uid = uid(site);
        let text = format!(
            "[s{site}]\nuser = {uid}\ngroup = {uid}\nlisten = {INSIDE}/run/s{site}.sock\nlisten.mode = 0666\npm = ondemand\npm.max_children = 4\npm.process_idle_timeout = 20s\n"
        );
        Ok(fs::write(self.at(&format!("pools/s{site}.conf")), text)?)
    }

    fn vhost(&self, site: usize) -> Result<()> {
        let folder = self.folder.path().display();
        let text = format!(
            "server {{ listen {ADDRESS}; server_name {domain}; root {folder}/sites/s{site}; index index.php;\n\
             location / {{ try_files $uri $uri/ /index.php?$args; }}\n\
             location ~ \\.php$ {{ include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME {INSIDE}/sites/s{site}$fastcgi_script_name;\n\
             fastcgi_param DOCUMENT_ROOT {INSIDE}/sites/s{site}; fastcgi_pass unix:{folder}/run/s{site}.sock; }} }}\n",
            domain = domain(site),
        );
        Ok(fs::write(self.at(&format!("vhosts/s{site}.conf")), text)?)
    }

    /// The master of PHP-FPM.
    pub(crate) fn master(&self) -> Result<i32> {
        Ok(i32::try_from(self.fpm.as_ref().context("PHP-FPM runs")?.0.id())?)
    }

    /// FPM and nginx read what was written; returns when the pool is there.
    pub(crate) fn reload(&self, site: usize) -> Result<()> {
        kill(Pid::from_raw(self.master()?), Signal::SIGUSR2)?;
        self.nginx_command(&["-s", "reload"]).status()?;
        self.until("the new pool", || self.at(&format!("run/s{site}.sock")).exists())
    }

    /// Makes one site by hand in a server that runs: database, its user, files, configuration, WordPress's installer, pool, vhost.
    pub(crate) fn create(&self, site: usize, db: &str) -> Result<()> {
        let (name, uid, folder) = (format!("s{site}"), uid(site), self.at(&format!("sites/s{site}")));
        self.sql(db, &format!(
            "create database {name} character set utf8mb4; create user {name}@localhost identified by 'p{name}'; grant all on {name}.* to {name}@localhost"
        ))?;
        run(Command::new("cp").arg("-R").arg("--reflink=auto").arg(&self.app).arg(&folder))?;
        let salts: String = ["AUTH", "SECURE_AUTH", "LOGGED_IN", "NONCE"]
            .iter()
            .map(|key| format!("define('{key}_KEY', 'k-{key}-{name}');\ndefine('{key}_SALT', 's-{key}-{name}');\n"))
            .collect();
        fs::write(
            folder.join("wp-config.php"),
            format!(
                "<?php\ndefine('DB_NAME', '{name}');\ndefine('DB_USER', '{name}');\ndefine('DB_PASSWORD', 'p{name}');\ndefine('DB_HOST', 'localhost:{INSIDE}/run/{db}.sock');\ndefine('DB_CHARSET', 'utf8mb4');\ndefine('DB_COLLATE', '');\n{salts}$table_prefix = 'wp_';\ndefine('DISABLE_WP_CRON', true);\ndefine('ABSPATH', __DIR__ . '/');\nrequire_once ABSPATH . 'wp-settings.php';\n"
            ),
        )?;
        run(Command::new("chown").arg("-R").arg(format!("{uid}:{uid}")).arg(&folder))?;
        let (install, url) = (format!("{INSIDE}/install.php"), format!("http://{}", domain(site)));
        run(&mut self.inside(&self.php, uid, &["/usr/bin/php8.4", &install, &name, &url]))?;
        self.pool(site)?;
        self.vhost(site)?;
        self.reload(site)?;
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let page = self.asking(site).output()?;
            if text(&page.stdout).contains("wp-content") {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("the site made by hand does not answer: {}", text(&page.stdout));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A curl that asks for a site's front page.
    pub(crate) fn asking(&self, site: usize) -> Command {
        let mut curl = Command::new("curl");
        curl.args([
            "-s",
            "--fail",
            "--max-time",
            "60",
            "-H",
            &format!("Host: {}", domain(site)),
            &format!("http://{ADDRESS}/"),
        ]);
        curl
    }
}

/// Option with which servers and clients name the socket of a database server.
fn socket(db: &str) -> String {
    format!("--socket={INSIDE}/run/{db}.sock")
}

fn uid(site: usize) -> u32 {
    SITE_UID + u32::try_from(site).unwrap_or(0)
}

fn domain(site: usize) -> String {
    format!("s{site}.demo-sites.test")
}
