-- Who signed something, for people to read: staff see each other by name; a customer sees a member of its own account by name, and
-- of staff the roles and a number that stays with the person, unless control says that this installation shows names.

create sequence staff_number as integer;
alter table person add column staff_number integer unique;

create function number_staff() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update person set staff_number = nextval('staff_number') where id = new.person and staff_number is null;
    return null;
end $$;
create trigger number_staff after insert on staff for each row execute function number_staff();
grant execute on function number_staff() to husorden_staff;
update person set staff_number = nextval('staff_number') where id in (select person from staff);

-- What evidence and cases are signed with (`staff:person:…`, `account:token:…`), as the door may know it. Nothing: a machine, or
-- somebody this door does not know.
create function signed(p_signature text) returns jsonb language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
    part text[] := string_to_array(p_signature, ':');
    tenant boolean := session_user = 'husorden_tenant';
    p person;
begin
    if part[3] is null or part[3] !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then return null; end if;
    if part[2] = 'token' then
        return (select jsonb_build_object('token', t.label) from token t
                 where t.id = part[3]::uuid and (not tenant or t.account = bound_account()));
    end if;
    select * into p from person where id = part[3]::uuid and part[2] = 'person';
    if not found then return null; end if;
    if part[1] = 'staff' then
        return jsonb_strip_nulls(jsonb_build_object('number', p.staff_number, 'roles', (select s.roles from staff s where s.person = p.id),
            'name', case when not tenant or current_setting('app.staff_named', true) = 'yes' then p.name end));
    end if;
    if tenant and not exists (select from member m where m.person = p.id and m.account = bound_account()) then return null; end if;
    return jsonb_build_object('name', p.name);
end $$;
grant execute on function signed(text) to husorden_tenant, husorden_staff;

create or replace view staff_view with (security_invoker = true) as
select s.person, s.roles, s.since, p.email, p.name, p.language, p.second_factor, p.disabled, p.staff_number as number
from staff s join person p on p.id = s.person;
grant select (staff_number) on person to husorden_staff;

-- A complaint with who made it and who answered.
create function complaint_told(k complaint) returns jsonb language sql stable set search_path = public, pg_temp as $$
    select to_jsonb(k) || jsonb_build_object('by_whom', signed(k.by), 'answered_by_whom', signed(k.answered_by))
$$;
grant execute on function complaint_told(complaint) to husorden_tenant, husorden_staff;
