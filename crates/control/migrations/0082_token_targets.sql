-- The token of a target's own side is for that target and for no other. An empty list names all, as before.
alter table token add column targets uuid[] not null default '{}';
grant select (targets) on token to husorden_tenant, husorden_staff;

create or replace function token_find(p_digest bytea) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare t token;
begin
    select * into t from token where digest = p_digest and revoked is null and (expires is null or expires > now());
    if not found then return null; end if;
    return jsonb_build_object(
        'id', t.id, 'capabilities', t.capabilities, 'kinds', t.kinds, 'solutions', t.solutions, 'targets', t.targets, 'cidrs', t.cidrs,
        'account', (select to_jsonb(a) from account a where a.id = t.account),
        'used_lately', coalesce(t.used > now() - interval '1 minute', false),
        'held', held_account(t.account));
end $$;
