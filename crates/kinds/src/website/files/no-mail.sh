# What PHP's mail() reaches instead of a mail server. It reads the mail, so that PHP does not fall over a broken pipe.
cat > /dev/null
echo 'Refused: outgoing mail is not part of this site. Order a relay to send mail.' >&2
echo 'Afvist: udgående mail er ikke en del af dette websted. Bestil et relæ for at sende mail.' >&2
exit 69
