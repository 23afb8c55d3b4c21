//! A gate as it is served: real HTTP, the machine's clock, the default HTTP client.

use axum::Router;
use axum::routing::get;
use portcullis::ResourceServer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A gate with one route. It stops listening when this is dropped.
pub(crate) struct Gate {
    pub(crate) server: ResourceServer,
    /// `http://127.0.0.1:PORT`
    pub(crate) base: String,
    task: JoinHandle<()>,
}

impl Gate {
    pub(crate) async fn serve(server: ResourceServer) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new()
            .route("/", get(async || "let in\n"))
            .layer(server.layer());
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Gate { server, base, task }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}
