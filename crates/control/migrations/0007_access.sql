-- Who may do what: scopes of tokens.

-- What a token may do is a list of capabilities rather than one yes or no.
alter table token add column capabilities text[];
update token set capabilities = case
    when role = 'staff' and read_only then array['staff-read']
    when role = 'staff' then array['staff-read', 'account-administer', 'case-handle', 'case-decide', 'node-operate',
                                   'money-handle', 'evidence-audit', 'staff-manage']
    when read_only then array['read']
    else array['read', 'solution-create', 'solution-change', 'solution-delete', 'member-manage', 'account-manage',
               'token-manage', 'billing-manage', 'complain'] end;
alter table token alter column capabilities set not null;
alter table token drop column read_only;
grant select (capabilities) on token to husorden_tenant, husorden_staff;

-- Whoever a token or another credential stands for, with the narrowest measure on the account that closes more than services.
create function held_account(p_account uuid) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select to_jsonb(m) from measure m
    where m.account = p_account and m.solution is null and m.access <> 'full'
      and m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now())
    order by array_position(array['none', 'decision', 'data-out'], m.access), m.starts limit 1
$$;

create or replace function token_find(p_digest bytea) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object(
        'id', t.id, 'capabilities', t.capabilities,
        'account', (select to_jsonb(a) from account a where a.id = t.account),
        'held', held_account(t.account))
    from token t
    where t.digest = p_digest and t.revoked is null and (t.expires is null or t.expires > now())
$$;

-- An answer is kept for the credential it was given to, which is not always a token.
alter table idempotency drop constraint idempotency_token_fkey;
alter table idempotency rename column token to credential;
drop function idempotency_find(uuid, text);
create function idempotency_find(p_credential uuid, p_key text) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('digest', encode(digest, 'hex'), 'status', status, 'etag', etag, 'body', body)
    from idempotency where credential = p_credential and key = p_key
$$;

grant execute on function held_account(uuid), idempotency_find(uuid, text) to husorden_system;

-- What a token is narrowed to, where it may come from, and when it was last used. An empty list narrows nothing.
alter table token
    add column kinds     text[] not null default '{}',
    add column solutions uuid[] not null default '{}',
    add column cidrs     cidr[] not null default '{}',
    add column used      timestamptz;
grant select (kinds, solutions, cidrs, used) on token to husorden_tenant, husorden_staff;

-- The time of use is written at most once a minute, and never waited for.
create or replace function token_find(p_digest bytea) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare t token;
begin
    select * into t from token where digest = p_digest and revoked is null and (expires is null or expires > now());
    if not found then return null; end if;
    return jsonb_build_object(
        'id', t.id, 'capabilities', t.capabilities, 'kinds', t.kinds, 'solutions', t.solutions, 'cidrs', t.cidrs,
        'account', (select to_jsonb(a) from account a where a.id = t.account),
        'used_lately', coalesce(t.used > now() - interval '1 minute', false),
        'held', held_account(t.account));
end $$;

create function token_used(p_token uuid) returns void
language sql security definer set search_path = public, pg_temp as $$
    update token set used = now()
    where id = (select id from token where id = p_token and (used is null or used < now() - interval '1 minute') for update skip locked)
$$;

-- Whether a token that was let in is still good: a stream that it opened asks.
create function token_stands(p_token uuid) returns boolean
language sql stable security definer set search_path = public, pg_temp as $$
    select exists (select from token where id = p_token and revoked is null and (expires is null or expires > now())
                                       and held_account(account) is null)
$$;
grant execute on function token_used(uuid), token_stands(uuid) to husorden_system;

-- A transaction may be narrowed to kinds and solutions (app.scope): then the tenant door shows and takes those rows only,
-- whatever statement asks. Policies that restrict are joined by "and" with those that admit.
create function scope_open() returns boolean language sql stable as $$
    select coalesce(current_setting('app.scope', true), '') = ''
$$;
create function in_scope(p_solution uuid, p_kind text) returns boolean language sql stable as $$
    select (s->'kinds' = '[]' or s->'kinds' ? p_kind) and (s->'solutions' = '[]' or s->'solutions' ? p_solution::text)
    from (select nullif(current_setting('app.scope', true), '')::jsonb as s) x
$$;
grant execute on function scope_open(), in_scope(uuid, text) to husorden_tenant;
create policy tenant_scope on solution as restrictive to husorden_tenant
    using ((select scope_open()) or in_scope(id, kind)) with check ((select scope_open()) or in_scope(id, kind));
-- What belongs to a solution follows it; what belongs to the account alone is not in a narrowed view.
do $$
declare t text;
begin
    foreach t in array array['claim', 'snapshot', 'verb_order', 'evidence', 'event'] loop
        execute format('create policy tenant_scope on %1$I as restrictive to husorden_tenant
            using ((select scope_open()) or exists (select from solution s where s.id = %1$I.solution))
            with check ((select scope_open()) or exists (select from solution s where s.id = %1$I.solution))', t);
    end loop;
end $$;
-- A measure on the whole account holds each of its solutions, so it is seen with them.
create policy tenant_scope on measure as restrictive to husorden_tenant
    using ((select scope_open()) or solution is null or exists (select from solution s where s.id = measure.solution));

-- Leave for staff to act on an account's solutions: given by the account for a time, or taken by one of staff in an emergency.
create table access_grant (
    id       uuid primary key,
    account  uuid not null references account,
    -- None: all that the account has.
    solution uuid references solution,
    -- Who took it by breaking the glass, and alone may use it; none: the account gave it to staff.
    holder   uuid,
    reason   text not null check (length(reason) between 1 and 1000),
    by       text not null,
    starts   timestamptz not null default now(),
    ends     timestamptz not null check (ends > starts),
    ended    timestamptz
);
create index access_grant_by_account on access_grant (account, id);
alter table access_grant enable row level security;
alter table access_grant force row level security;
create policy owner_all on access_grant to husorden_owner using (true) with check (true);
create policy tenant_see on access_grant for select to husorden_tenant using (account = bound_account());
create policy tenant_add on access_grant for insert to husorden_tenant with check (account = bound_account() and holder is null);
create policy tenant_end on access_grant for update to husorden_tenant
    using (account = bound_account()) with check (account = bound_account());
create policy tenant_scope on access_grant as restrictive to husorden_tenant
    using ((select scope_open()) or exists (select from solution s where s.id = access_grant.solution));
create policy staff_see on access_grant for select to husorden_staff using (true);
create policy staff_add on access_grant for insert to husorden_staff with check (holder is not null);
create policy staff_end on access_grant for update to husorden_staff using (true) with check (true);
grant select, insert, update (ended) on access_grant to husorden_tenant, husorden_staff;

-- A node is given bytes and believed about what stands on it, and nothing else.
drop function order_spool(uuid);
create function order_spool(p_node text, p_order uuid) returns text
language sql stable security definer set search_path = public, pg_temp as $$
    select spool from verb_order where id = p_order and node = p_node and state in ('queued', 'running')
$$;
grant execute on function order_spool(text, uuid) to husorden_system;

create or replace function node_evidence(p_node text, p_line jsonb) returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into evidence (begun, ended, who, act, account, solution, before, node, serial, visible_from)
    select (p_line->>'at')::timestamptz, (p_line->>'at')::timestamptz, 'node:' || p_node, left(p_line->>'act', 200),
           (select account from solution where id = (p_line->>'solution')::uuid and node = p_node), (p_line->>'solution')::uuid,
           coalesce(p_line->'detail', '{}'), p_node, (p_line->>'serial')::bigint,
           coalesce((select greatest(now(), max(silent_until)) from measure where id::text = p_line->'detail'->>'measure'), now())
    on conflict (node, serial) do nothing
$$;

-- Whether a node has anything to do with a measure: it holds what stands there, or control told the node of it.
create function node_concerned(p_node text, p_measure jsonb) returns boolean
language sql stable security definer set search_path = public, pg_temp as $$
    select exists (select from measure_node where measure = (p_measure->>'id')::uuid and node = p_node)
        or case when p_measure->'scope'->>'of' = 'solution'
                then exists (select from solution where id = (p_measure->'scope'->>'id')::uuid and node = p_node)
                else exists (select from solution where account = (p_measure->'scope'->>'id')::uuid and node = p_node) end
$$;
grant execute on function node_concerned(text, jsonb) to husorden_system;
