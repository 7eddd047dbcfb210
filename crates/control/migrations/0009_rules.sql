-- The house rules as they were published, version by version, and who accepted which.

-- What was published is never changed: neither by a door, which may not, nor by hand, which the trigger stops.
create function never_changed() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
    raise exception '% is never changed or removed', tg_table_name using errcode = 'integrity_constraint_violation';
end $$;

create table rules_version (
    version   integer primary key check (version > 0),
    -- The canonical text, and its SHA-256.
    body      text not null,
    hash      bytea not null,
    effective timestamptz not null,
    published timestamptz not null default now(),
    constraint rules_hash_fits check (hash = sha256(convert_to(body, 'UTF8')))
);
create trigger never before update or delete on rules_version for each row execute function never_changed();

create table rules_acceptance (
    account  uuid not null references account,
    version  integer not null references rules_version,
    -- Who did it, as evidence says it.
    who      text not null,
    accepted timestamptz not null default now(),
    primary key (account, version)
);
create trigger never before update or delete on rules_acceptance for each row execute function never_changed();

do $$
declare t text;
begin
    foreach t in array array['rules_version', 'rules_acceptance'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format('create policy owner_all on %I to husorden_owner using (true) with check (true)', t);
    end loop;
end $$;
create policy tenant_own on rules_acceptance to husorden_tenant using (account = bound_account()) with check (account = bound_account());
create policy staff_see on rules_acceptance for select to husorden_staff using (true);
grant select, insert on rules_acceptance to husorden_tenant;
grant select on rules_acceptance to husorden_staff;

-- The version that holds now: the highest whose day has come; before any day has come, the lowest.
create function rules_effective() returns integer language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce((select max(version) from rules_version where effective <= now()), (select min(version) from rules_version))
$$;
grant execute on function rules_effective() to husorden_tenant, husorden_staff, husorden_system;

-- Whether an account has accepted the version that holds now, or one that will follow it.
create function rules_accepted(p_account uuid) returns boolean language sql stable security definer set search_path = public, pg_temp as $$
    select rules_effective() is null
        or exists (select from rules_acceptance where account = p_account and version >= rules_effective())
$$;
grant execute on function rules_accepted(uuid) to husorden_staff, husorden_system;

create function rules_list() returns setof jsonb language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('version', version, 'body', body, 'hash', encode(hash, 'hex'), 'effective', effective,
                              'published', published, 'in_force', version = rules_effective())
    from rules_version order by version
$$;

-- One version; with none named, the one that holds now. `next` is the newest that is to follow it.
create function rules_read(p_version integer) returns jsonb language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('version', version, 'body', body, 'hash', encode(hash, 'hex'), 'effective', effective,
                              'published', published, 'in_force', version = rules_effective(),
                              'before', (select max(b.version) from rules_version b where b.version < v.version),
                              'next', (select max(n.version) from rules_version n where n.version > v.version))
    from rules_version v where version = coalesce(p_version, rules_effective())
$$;

-- Stores a version that is new. False: the version is there with another text, and that text stays.
create function rules_publish(p_version integer, p_body text, p_effective timestamptz) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    first_one boolean := not exists (select from rules_version);
    made integer;
begin
    insert into rules_version (version, body, hash, effective)
        values (p_version, p_body, sha256(convert_to(p_body, 'UTF8')), p_effective)
        on conflict (version) do nothing returning version into made;
    if made is null then
        return (select body = p_body from rules_version where version = p_version);
    end if;
    insert into evidence (ended, who, act, before, after)
        values (now(), 'platform', 'rules.publish',
                jsonb_build_object('version', p_version, 'hash', encode(sha256(convert_to(p_body, 'UTF8')), 'hex'), 'effective', p_effective), '{}');
    -- The first version is news to nobody: every account is asked for it before anything else.
    if not first_one then
        insert into event (account, kind, by, data)
            select id, 'rules.published', 'platform', jsonb_build_object('version', p_version, 'effective', p_effective) from account;
    end if;
    return true;
end $$;

grant execute on function rules_list(), rules_read(integer), rules_publish(integer, text, timestamptz) to husorden_system;

-- A decision rests on the version that held when it was made, however it came here: a trigger, so that no way of writing a
-- measure can leave it out. The column itself comes with the cases (0011).
create function measure_rests_on() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    new.rules_version := coalesce(new.rules_version, rules_effective()::text);
    return new;
end $$;
create trigger rests_on before insert on measure for each row execute function measure_rests_on();
grant execute on function measure_rests_on() to husorden_staff;
