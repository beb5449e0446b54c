//! Connections: a request, its answer or its mischief, the next request.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::failure::{Answer, Outcome, failure};
use super::http::{Request, Wire, respond, respond_half};
use super::route::{Route, route, verb};
use super::watch::Watch;
use super::{Call, Mischief, State, access, kinds, list, lock, patch, write};

/// What follows a request.
enum Reply {
    Whole(Answer),
    Watch(Watch),
}

/// Takes connections until it is dropped; they end with it.
pub(super) async fn serve(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        let _ = tcp.set_nodelay(true);
        connections.spawn(async move {
            if let Ok(stream) = acceptor.accept(tcp).await {
                let _ = converse(BufReader::new(stream), &state).await;
            }
        });
    }
}

/// Answers one request after another, until the other side or a mischief ends it.
async fn converse(mut wire: Wire, state: &Arc<Mutex<State>>) -> std::io::Result<()> {
    while let Some(request) = Request::read(&mut wire).await? {
        let mischief = {
            let mut state = lock(state);
            state.calls.push(Call { method: request.method.clone(), target: request.target.clone() });
            state.mischief.take(&request.method, request.path())
        };
        match mischief {
            Some(Mischief::HangUp) => return Ok(()),
            Some(Mischief::Hang) => std::future::pending::<()>().await,
            Some(Mischief::Status(code, body)) => {
                respond(&mut wire, code, &body).await?;
                continue;
            }
            Some(Mischief::Endless) => {
                wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"items\": [").await?;
                loop {
                    wire.write_all(&[b' '; 16 << 10]).await?;
                }
            }
            Some(Mischief::Slow(time)) => tokio::time::sleep(time).await,
            Some(Mischief::SlowAfter(_) | Mischief::HangUpAfter | Mischief::HalfAnswer) | None => {}
        }
        let reply = answer(&mut lock(state), &request).unwrap_or_else(Reply::Whole);
        if let Some(Mischief::SlowAfter(time)) = &mischief {
            tokio::time::sleep(*time).await;
        }
        match (reply, mischief) {
            (_, Some(Mischief::HangUpAfter)) => return Ok(()),
            (Reply::Watch(watch), _) => watch.tell(&mut wire, state).await?,
            (Reply::Whole((code, document)), Some(Mischief::HalfAnswer)) => {
                return respond_half(&mut wire, code, &document.to_string()).await;
            }
            // A text is one as it is, without quotation marks.
            (Reply::Whole((code, document)), _) => {
                let body = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
                respond(&mut wire, code, &body).await?;
            }
        }
    }
    Ok(())
}

fn answer(state: &mut State, request: &Request) -> Outcome<Reply> {
    let route = route(request);
    if let Ok(Route::Server(page)) = &route
        && page.is_public()
    {
        return Ok(Reply::Whole(page.answer()));
    }
    let user = access::who(state, request)?;
    let place = match route? {
        Route::Server(page) => return Ok(Reply::Whole(page.answer())),
        Route::Objects(place) => place,
    };
    let not_allowed = || failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
    let verb = verb(request, &place).ok_or_else(not_allowed)?;
    let named = match verb {
        "list" | "watch" | "deletecollection" if place.name.is_empty() => {
            super::select::Selection::of(request, place.kind)?.name().unwrap_or_default().to_owned()
        }
        _ => place.name.clone(),
    };
    access::permit(state, &user, verb, &place, &named)?;
    if place.kind == &kinds::ACCESS_REVIEW {
        let question = write::document(&request.body)?;
        return Ok(Reply::Whole(if verb == "create" { access::review(state, &user, &question) } else { not_allowed() }));
    }
    let whole = match verb {
        "get" => list::get(state, &place),
        "list" => list::list(state, request, &place),
        "watch" => return Watch::of(state, request, &place).map(Reply::Watch),
        "create" if place.kind.namespaced && place.namespace.is_empty() => Err(not_allowed()),
        "create" => write::create(state, request, &place),
        "update" => write::replace(state, request, &place),
        "patch" => patch::patch(state, request, &place, &user),
        "delete" => write::delete(state, request, &place),
        _ => write::delete_all(state, request, &place),
    };
    // Whoever watches looks for what is new.
    state.changed.send_replace(state.store.revision());
    whole.map(Reply::Whole)
}
