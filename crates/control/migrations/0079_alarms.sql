-- Checks of the house's health that are bad, and when operators were told by mail.
create table alarm (
    name  text primary key check (length(name) between 1 and 200),
    since timestamptz not null,
    told  timestamptz
);
alter table alarm enable row level security;
alter table alarm force row level security;
create policy owner_all on alarm to husorden_owner using (true) with check (true);

create function alarms() returns setof jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select to_jsonb(a) from alarm a order by a.name
$$;

-- Keeps what is known now in place of what was, and with something to tell writes the mail of each operator.
create function alarms_keep(p_alarms jsonb, p_tell jsonb) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    delete from alarm;
    insert into alarm (name, since, told)
        select left(a->>'name', 200), (a->>'since')::timestamptz, (a->>'told')::timestamptz from jsonb_array_elements(p_alarms) a;
    if p_tell is not null then
        insert into job (kind, subject)
            select 'mail', jsonb_build_object('template', 'alarm', 'to', p.email, 'language', p.language, 'data', p_tell)
            from staff s join person p on p.id = s.person and p.disabled is null where 'operations' = any (s.roles) order by p.id;
    end if;
end $$;

insert into job (kind, every_s) values ('watch-health', 60);
grant execute on function alarms(), alarms_keep(jsonb, jsonb) to husorden_system;
