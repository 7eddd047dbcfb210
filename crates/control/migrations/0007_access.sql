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
